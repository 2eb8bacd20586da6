# Two teachers of 12 classes each become one student of all 20, without a label.
#
# Labels are made once, and may cost more than testing does: each teacher looks at a picture at two
# sizes and at its mirror image, and votes with what the four views say together (Data
# Distillation, Radosavovic et al. 2018).
_base_ = ['./_base_/student.py']

larger = {
    'test_dataloader.dataset.dataset.pipeline.1.scale': (416, 416),
    'test_dataloader.dataset.dataset.pipeline.2.size': (416, 416),
}
voc_a = _base_.composition.teachers.voc_a
voc_b = _base_.composition.teachers.voc_b

composition = dict(
    teachers=dict(
        voc_a=dict(
            _delete_=True,
            type='mmcompose.EnsembleTeacher',
            members=[voc_a, dict(voc_a, cfg_options=larger)],
            flip=True,
        ),
        voc_b=dict(
            _delete_=True,
            type='mmcompose.EnsembleTeacher',
            members=[voc_b, dict(voc_b, cfg_options=larger)],
            flip=True,
        ),
    ),
    label_pipeline=[
        # Up to the thresholds as everywhere.
        *_base_.composition.label_pipeline[:3],
        # What the teachers were trained on says how many boxes to expect; the pool's own truth is
        # not asked. Scores that sum to that are chances, which the student learns as they are.
        dict(
            type='mmcompose.ScoreCalibration',
            method='prior',
            boxes_per_image=[
                _base_.voc_root + '/annotations/teacher_a_train.json',
                _base_.voc_root + '/annotations/teacher_b_train.json',
            ],
        ),
        dict(type='mmcompose.ScoreFilter', min_score=0.15),
    ],
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmcompose.UncertainLabelsHook', soft_targets=True),
]
