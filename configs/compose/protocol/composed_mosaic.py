# Not an arm: composed.py with mosaic and mixup.
_base_ = ['composed.py', '_base_/mosaic.py']

train_dataloader = dict(dataset=dict(pipeline=_base_.mosaic_pipeline))
