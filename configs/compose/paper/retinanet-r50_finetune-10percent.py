# The paper's fine-tuning with 10 % of the labels.
_base_ = ['./_base_/retinanet-r50_finetune.py']

train_dataloader = dict(dataset=dict(datasets=_base_.sources['10']))
