# Two data sets that label different classes become one detector of all: in the pictures of each,
# its truth rules the classes that it labels, and the teacher that learned the other fills the rest.
# benchmarks/voc_composition.py trains the teachers, one on each.
_base_ = ['../voc/_base_/student.py']

sources = [
    dict(
        type='mmcompose.PseudoLabeledDataset',
        dataset=dict(_base_.pool, ann_file=f'{_base_.voc_root}/annotations/{name}_train.json'),
        truth=dict(
            type='CocoDataset',
            ann_file=f'{_base_.voc_root}/annotations/{name}_train.json',
            data_prefix=_base_.pool.data_prefix,
        ),
        pipeline=_base_.train_pipeline,
    )
    for name in ('teacher_a', 'teacher_b')
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.MixedDataset',
        datasets=sources,
    )
)
