# Not an arm: both features.py and agreement.py.
_base_ = ['features.py']

custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmcompose.LabelAgreementHook', begin=max(1, round(450 * _base_.scale))),
]
