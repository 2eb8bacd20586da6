# A teacher that knows 12 of VOC's 20 classes; objects of the others stand unlabelled in its images.
_base_ = ['../_base_/models/yolox-nano_320.py']

custom_imports = dict(imports=['mmcompose.engine'], allow_failed_imports=False)
voc_root = '{{$VOC_ROOT:data/voc}}'
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
num_classes = 12
model = dict(bbox_head=dict(num_classes=num_classes))

train_dataloader = dict(
    _delete_=True,
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CocoDataset',
        ann_file=voc_root + '/annotations/teacher_b_train.json',
        data_prefix=dict(img=voc_root + '/images/'),
        metainfo=dict(classes=classes),
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=_base_.train_pipeline,
    ),
)
test_dataloader = dict(
    _delete_=True,
    batch_size=8,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmcompose.ClassSpaceDataset',
        classes=classes,
        dataset=dict(
            type='CocoDataset',
            ann_file=voc_root + '/annotations/val.json',
            data_prefix=dict(img=voc_root + '/images/'),
            test_mode=True,
            pipeline=_base_.test_pipeline,
        ),
    ),
)
test_evaluator = dict(_delete_=True, type='CocoMetric', metric='bbox')
val_dataloader = test_dataloader
val_evaluator = test_evaluator
