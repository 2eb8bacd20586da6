# Arm 1: the composition, from unlabelled images alone.
_base_ = ['_base_/student.py', '_base_/labels.py']

composition = dict(label_pipeline=_base_.label_pipeline)
