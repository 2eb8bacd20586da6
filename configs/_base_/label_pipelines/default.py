# Nothing to tune: what others fix is learned from the pool, without a label. Each teacher's own
# duplicates go, teachers are weighted by how they agree on the classes that they share, boxes fused
# among the owners of each class. Then boxes are compared with what looks alike in other pictures:
# much where teachers share no class, little where all know every class; thresholds are by class.
# What _base_/default_compose.py takes.
label_pipeline = [
    dict(type='mmcompose.ScoreFilter', min_score=0.03),
    dict(type='mmcompose.DuplicateFilter', iou_thr=0.6),
    # At the full sharpness of 5, a detector with many faint boxes outweighs a better one.
    dict(type='mmcompose.AgreementWeightedFusion', iou_thr=0.6, sharpness=1.0),
    dict(type='mmcompose.DuplicateFilter', iou_thr=0.5),
    dict(type='mmcompose.AppearanceCheck'),
    dict(type='mmcompose.AdaptiveScoreBands', method='tempered_fbeta', ignore_ratio=0.6),
]
