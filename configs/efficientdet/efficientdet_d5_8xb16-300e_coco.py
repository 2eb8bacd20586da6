_base_ = [
    '../_base_/models/efficientdet_d5.py',
    './_base_/coco.py',
    './_base_/pipelines.py',
    './_base_/schedule_300e.py',
    'mmdet::_base_/default_runtime.py',
]

custom_imports = dict(imports=['mmcompose.models'], allow_failed_imports=False)
checkpoint = 'https://download.openmmlab.com/mmclassification/v0/efficientnet/efficientnet-b5_3rdparty_8xb32-aa_in1k_20220119-2cab8b78.pth'
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', prefix='backbone', checkpoint=checkpoint))
)
train_pipeline, test_pipeline = (
    [
        {key: _base_.image_size if key in ('scale', 'crop_size') else step[key] for key in step}
        for step in pipeline
    ]
    for pipeline in (_base_.train_pipeline, _base_.test_pipeline)
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
