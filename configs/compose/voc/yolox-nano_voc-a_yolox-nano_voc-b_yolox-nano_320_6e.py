# Two teachers of 12 classes each become one student of all 20, without a label.
_base_ = ['./_base_/student.py']

composition = dict(
    teachers=dict(
        voc_a=dict(_delete_=True, **_base_.views_of_a),
        voc_b=dict(_delete_=True, **_base_.views_of_b),
    ),
    label_pipeline=[
        # Up to the thresholds as everywhere, and one box an object at the end.
        *_base_.composition.label_pipeline[:-2],
        # What the teachers were trained on gives how many boxes to expect; the pool's own truth is
        # not read. Scores that sum to that are chances, which the student learns as they are.
        dict(
            type='mmcompose.ScoreCalibration',
            method='prior',
            boxes_per_image=[
                _base_.voc_root + '/annotations/teacher_a_train.json',
                _base_.voc_root + '/annotations/teacher_b_train.json',
            ],
        ),
        dict(type='mmcompose.ScoreFilter', min_score=0.15),
        _base_.composition.label_pipeline[-1],
    ],
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmcompose.UncertainLabelsHook', soft_targets=True),
]
