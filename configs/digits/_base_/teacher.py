# What both teachers share: scenes of their own to learn from, and scenes to be tested on.
_base_ = ['./scenes.py']

train_dataloader = dict(
    dataset=dict(
        type='CocoDataset',
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=_base_.train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type='CocoDataset',
        data_prefix=dict(img=_base_.data_root + 'val/'),
        test_mode=True,
        pipeline=_base_.test_pipeline,
    )
)
test_dataloader = dict(_base_.val_dataloader, **val_dataloader)
val_evaluator = dict(type='CocoMetric')
test_evaluator = val_evaluator
