# The student of two teachers, whose feature maps also learn from those of both.
_base_ = ['yolox-nano_voc-a_yolox-nano_voc-b_yolox-nano_320_6e.py']

custom_hooks = [
    *_base_.custom_hooks,
    *(
        dict(type='mmcompose.FeatureDistillationHook', teacher=teacher, weight=1.5)
        for teacher in (_base_.voc_a, _base_.voc_b)
    ),
]
