# Of true labels, as the oracle, with the beginning of the student of two teachers.
_base_ = ['./yolox-nano_voc-oracle_yolox-nano_320_6e.py']

load_from = None
custom_hooks = [
    *_base_.custom_hooks,
    dict(
        type='mmcompose.AverageTeachersHook',
        teachers=dict(voc_a=_base_.voc_a, voc_b=_base_.voc_b),
    ),
]
