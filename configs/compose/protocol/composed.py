# Arm 1: the composition, from unlabelled images alone.
_base_ = [
    '../../_base_/models/atss_efficientnet-lite0_320.py',
    '_base_/schedule.py',
    '_base_/voc.py',
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
