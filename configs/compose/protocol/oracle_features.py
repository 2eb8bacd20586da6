# Not an arm: the oracle with the features of features.py.
_base_ = ['oracle.py', '../voc/_base_/teachers.py']

custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmcompose.FeatureDistillationHook', teacher=_base_.voc_a, weight=3.0),
]
