# Not an arm: the student of labels that a file holds, whose ignore boxes are left out of the loss.
_base_ = ['oracle.py']

train_dataloader = dict(dataset=dict(ann_file='{{$LABELS:work_dirs/protocol/labels.json}}'))
custom_hooks = [*_base_.custom_hooks, dict(type='mmcompose.UncertainLabelsHook')]
