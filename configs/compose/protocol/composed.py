# Arm 1: the composition, from unlabelled images alone.
_base_ = ['_base_/student.py', '../../_base_/label_pipelines/default.py']

composition = dict(label_pipeline=_base_.label_pipeline)
