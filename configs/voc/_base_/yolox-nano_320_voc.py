# YOLOX-Nano at 320 px on VOC: what teachers and student share.
_base_ = ['../../_base_/models/yolox-nano_320.py']

voc_root = '{{$VOC_ROOT:data/voc}}'

train_dataloader = dict(
    _delete_=True,
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CocoDataset',
        data_prefix=dict(img=voc_root + '/images/'),
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    _delete_=True,
    batch_size=8,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        ann_file=voc_root + '/annotations/val.json',
        data_prefix=dict(img=voc_root + '/images/'),
        test_mode=True,
        pipeline=_base_.test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='CocoMetric', metric='bbox')
test_evaluator = val_evaluator
