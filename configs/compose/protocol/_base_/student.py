# What all arms share: the student, the pool and the teachers.
_base_ = [
    '../../../_base_/models/atss_efficientnet-lite0_320.py',
    'schedule.py',
    'voc.py',
]

train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
