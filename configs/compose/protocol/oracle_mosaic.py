# Not an arm: oracle.py with mosaic and mixup.
_base_ = ['oracle.py', '_base_/mosaic.py']

train_dataloader = dict(dataset=dict(pipeline=_base_.mosaic_pipeline))
