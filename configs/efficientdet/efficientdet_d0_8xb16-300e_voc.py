_base_ = [
    '../_base_/models/efficientdet_d0.py',
    './_base_/voc0712.py',
    './_base_/pipelines.py',
    './_base_/schedule_300e.py',
    'mmdet::_base_/default_runtime.py',
]

custom_imports = dict(imports=['mmcompose.models'], allow_failed_imports=False)
checkpoint = 'https://download.openmmlab.com/mmclassification/v0/efficientnet/efficientnet-b0_3rdparty_8xb32-aa_in1k_20220119-8d939117.pth'
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', prefix='backbone', checkpoint=checkpoint)),
    bbox_head=dict(num_classes=20),
)
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(dataset, pipeline=_base_.train_pipeline)
            for dataset in _base_.train_dataloader.dataset.datasets
        ]
    )
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
