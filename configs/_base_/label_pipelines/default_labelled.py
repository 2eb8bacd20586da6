# default.py, where a few labelled images are at hand (some 200 will do): before thresholds are
# learned, scores become chances to be right, which is how much a box is to be trusted in training.
#     mmcompose calibrate CONFIG --ann labelled.json --out work_dirs/calibration.json
# Use: composition = dict(label_pipeline=_base_.label_pipeline)
_base_ = './default.py'

label_pipeline = [
    *_base_.label_pipeline[:-2],
    dict(
        type='mmcompose.ScoreCalibration',
        method='isotonic',
        learned_file='work_dirs/calibration.json',
    ),
    *_base_.label_pipeline[-2:],
]
