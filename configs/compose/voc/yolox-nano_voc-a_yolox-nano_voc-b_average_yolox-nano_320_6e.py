# The student of two teachers of its own architecture, which begins with the mean of their weights.
_base_ = ['yolox-nano_voc-a_yolox-nano_voc-b_yolox-nano_320_6e.py']

load_from = None
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmcompose.AverageTeachersHook',
        teachers=dict(voc_a=_base_.voc_a, voc_b=_base_.voc_b),
    ),
]
