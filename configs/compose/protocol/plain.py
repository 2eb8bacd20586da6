# Arm 9: the composition as in the paper: plain fusion and one threshold for all classes.
_base_ = ['_base_/composition.py']

composition = dict(
    label_pipeline=[
        dict(type='mmcompose.ScoreFilter', min_score=0.01),
        dict(type='mmcompose.WeightedBoxesFusion', iou_thr=0.6),
        dict(type='mmcompose.ScoreFilter', min_score=0.4),
    ]
)
