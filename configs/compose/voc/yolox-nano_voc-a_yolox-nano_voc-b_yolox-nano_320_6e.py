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
)
