# The plainest: fuse, then two fixed scores.
# Use: composition = dict(label_pipeline=_base_.label_pipeline)
label_pipeline = [
    dict(type='mmcompose.ScoreFilter', min_score=0.01),
    dict(type='mmcompose.WeightedBoxesFusion', iou_thr=0.55),
    dict(type='mmcompose.ScoreBands', keep=0.5, ignore=0.3),
]
