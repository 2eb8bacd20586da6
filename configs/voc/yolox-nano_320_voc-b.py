# A teacher that knows 12 of VOC's 20 classes; objects of the others stand unlabelled in its images.
_base_ = ['_base_/voc_teacher.py']

# In the order of the annotation file's categories: MMDetection takes labels in that order.
classes = (
    'aeroplane',
    'bird',
    'boat',
    'bottle',
    'car',
    'chair',
    'cow',
    'dog',
    'person',
    'pottedplant',
    'sheep',
    'train',
)

model = dict(bbox_head=dict(num_classes=len(classes)))
train_dataloader = dict(
    dataset=dict(
        ann_file=_base_.voc_root + '/annotations/teacher_b_train.json',
        metainfo=dict(classes=classes),
    )
)
test_dataloader = dict(dataset=dict(classes=classes))
val_dataloader = test_dataloader
