# Not an arm: the composed student, to which a label counts as far as its own average finds it.
_base_ = ['composed.py']

custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmcompose.LabelAgreementHook', begin=max(1, round(450 * _base_.scale))),
]
