# Nothing to tune: what others fix is learned from the pool, without a label. Teachers are weighted
# by how they agree on the classes that they share, boxes fused among the owners of each class,
# names that mean one object told apart, and each class gets a threshold of its own.
# What _base_/default_compose.py takes.
label_pipeline = [
    dict(type='mmcompose.ScoreFilter', min_score=0.01),
    dict(type='mmcompose.AgreementWeightedFusion', iou_thr=0.7),
    dict(type='mmcompose.CrossClassSuppression'),
    dict(type='mmcompose.AdaptiveScoreBands', method='expected_fbeta', ignore_ratio=0.6),
]
