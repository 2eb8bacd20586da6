# What all arms share: the student, its schedule, the photographs it is tested on. Teachers, and
# what is made of their predictions, stand apart: arms of true labels do not depend on them.
_base_ = [
    '../../../_base_/models/atss_efficientnet-lite0_320.py',
    '../../../_base_/class_spaces/voc.py',
    'schedule.py',
]

voc_root = '{{$VOC_ROOT:data/voc}}'
model = dict(bbox_head=dict(num_classes=len(_base_.voc_classes)))

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        ann_file=voc_root + '/annotations/val.json',
        data_prefix=dict(img=voc_root + '/images/'),
        metainfo=dict(classes=_base_.voc_classes),
        test_mode=True,
        pipeline=_base_.test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='CocoMetric', metric='bbox')
test_evaluator = val_evaluator
