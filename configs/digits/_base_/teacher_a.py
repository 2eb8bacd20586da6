# The digits 0 to 5, and the scenes in which they are labelled.
_base_ = ['./teacher.py']

# In the order of the annotation file's categories: MMDetection takes labels in that order.
classes = ('0', '1', '2', '3', '4', '5')

train_dataloader = dict(
    dataset=dict(
        ann_file=_base_.data_root + 'annotations/teacher_a.json',
        data_prefix=dict(img=_base_.data_root + 'teacher_a/'),
        metainfo=dict(classes=classes),
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file=_base_.data_root + 'annotations/val_a.json', metainfo=dict(classes=classes)
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=val_dataloader['dataset']['ann_file'])
test_evaluator = val_evaluator
