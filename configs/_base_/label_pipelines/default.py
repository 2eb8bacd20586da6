# Nothing to tune: what others fix is learned from the pool, without a label. Each teacher's own
# duplicates go, and boxes are fused among the owners of each class, weighted by how they agree
# where a class has three of them. Then boxes are compared with what looks alike in other pictures:
# that changes much where teachers share no class, little where all know every class. Of two names
# for one object the likelier stays. Thresholds are by class. Of what they keep, one box an object.
# What _base_/default_compose.py takes.
label_pipeline = [
    dict(type='mmcompose.ScoreFilter', min_score=0.01),
    dict(type='mmcompose.DuplicateFilter', iou_thr=0.6),
    dict(type='mmcompose.AgreementWeightedFusion', iou_thr=0.65),
    dict(type='mmcompose.DuplicateFilter', iou_thr=0.65),
    dict(type='mmcompose.AppearanceCheck'),
    dict(type='mmcompose.CrossClassSuppression'),
    dict(type='mmcompose.AdaptiveScoreBands', method='tempered_fbeta', ignore_ratio=0.6),
    dict(type='mmcompose.DuplicateFilter', iou_thr=0.45, selects=True),
]
