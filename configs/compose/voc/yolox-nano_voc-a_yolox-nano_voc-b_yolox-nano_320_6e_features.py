# The same, and the student's feature maps learn from those of both teachers, too.
_base_ = ['./yolox-nano_voc-a_yolox-nano_voc-b_yolox-nano_320_6e.py']

custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmcompose.FeatureDistillationHook', teacher=_base_.voc_a, weight=1.5),
    dict(type='mmcompose.FeatureDistillationHook', teacher=_base_.voc_b, weight=1.5),
]
