# Arm 1: the composition, from unlabelled images alone.
_base_ = ['_base_/composition.py']

composition = dict(
    teachers=dict(
        voc_a=dict(_delete_=True, **_base_.views_of_a),
        # Its input has one size.
        coco=dict(
            _delete_=True,
            type='mmcompose.EnsembleTeacher',
            members=[_base_.composition.teachers.coco],
            flip=True,
        ),
    ),
    # A heatmap's peaks and a detector with objectness score on different scales; fusion and
    # thresholds take scores for the chance to be right.
    label_pipeline=[
        _base_.composition.label_pipeline[0],
        dict(type='mmcompose.ScoreCalibration', method='agreement'),
        *_base_.composition.label_pipeline[1:],
    ],
)
# A label is learned as it is, or ignored: other than compose/voc's, this student knows no detector,
# and in trials at a third of the schedule soft targets held it back.
