# Few labels, but sure ones: a box counts where two owners of its class agree, or one is very sure.
# Use: composition = dict(label_pipeline=_base_.label_pipeline)
label_pipeline = [
    dict(type='mmcompose.ScoreFilter', min_score=0.05),
    dict(type='mmcompose.WeightedBoxesFusion', iou_thr=0.55),
    dict(type='mmcompose.AgreementFilter', min_votes=2, sure_score=0.8),
    dict(type='mmcompose.ScoreBands', keep=0.4, ignore=0.25),
]
