# The student, the pool, what is tested on, and two teachers of 12 classes each.
_base_ = [
    '../../../voc/_base_/yolox-nano_320_voc.py',
    '../../../_base_/default_compose.py',
    './teachers.py',
]

composition = dict(
    teachers=dict(voc_a=_base_.voc_a, voc_b=_base_.voc_b),
    class_space=dict(aliases=['voc-coco']),
)

# The initial weights are a detector of COCO's classes, which has all of VOC's. Its rows of them
# are thrown away, so that all the student knows of a class comes from the teachers' labels.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmcompose.ClassRowsHook', keep=False),
]

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.PseudoLabeledDataset',
        dataset=_base_.pool,
        pipeline=_base_.train_pipeline,
    )
)
val_dataloader = dict(persistent_workers=True)
test_dataloader = val_dataloader
