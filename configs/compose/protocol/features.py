# Arm 10: the composed student, whose feature maps also learn from those of the teacher that
# runs in the process.
_base_ = ['composed.py']

custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmcompose.FeatureDistillationHook', teacher=_base_.voc_a, weight=3.0),
]
