# Arm 12: as arm 10, and the features of the ONNX model too. The weight is shared out.
_base_ = ['composed.py']

custom_hooks = [
    *_base_.custom_hooks,
    *[
        dict(type='mmcompose.FeatureDistillationHook', teacher=teacher, weight=1.5)
        for teacher in (_base_.voc_a, _base_.composition.teachers.coco.members[0])
    ],
]
