# How the composed arms' labels are made.
label_pipeline = [
    dict(type='mmcompose.ScoreFilter', min_score=0.01),
    dict(type='mmcompose.WeightedBoxesFusion', iou_thr=0.55),
    dict(type='mmcompose.ScoreBands', keep=0.4),
]
