# As default.py, where a few labelled images are at hand (some 200 will do) or where teachers of
# different kinds score on different scales: scores are calibrated first.
#     mmcompose calibrate CONFIG --ann labelled.json --out work_dirs/calibration.json
# Use: composition = dict(label_pipeline=_base_.label_pipeline)
label_pipeline = [
    dict(type='mmcompose.ScoreFilter', min_score=0.01),
    dict(
        type='mmcompose.ScoreCalibration',
        method='isotonic',
        learned_file='work_dirs/calibration.json',
    ),
    dict(type='mmcompose.AgreementWeightedFusion', iou_thr=0.7),
    dict(type='mmcompose.CrossClassSuppression'),
    dict(type='mmcompose.AdaptiveScoreBands', method='expected_fbeta', ignore_ratio=0.6),
]
