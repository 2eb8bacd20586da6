_base_ = ['../_base_/models/efficientdet_d5.py', './_base_/coco.py', './_base_/training.py']

checkpoint = 'https://download.openmmlab.com/mmclassification/v0/efficientnet/efficientnet-b5_3rdparty_8xb32-aa_in1k_20220119-2cab8b78.pth'
model = dict(backbone=dict(init_cfg=dict(_base_.pretrained, checkpoint=checkpoint)))
train_pipeline, test_pipeline = _base_.pipelines[_base_.image_size[0]]
pipelines = None
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
