# Arm 1: the composition, from unlabelled images alone.
_base_ = ['_base_/student.py', '../../_base_/label_pipelines/default.py']

composition = dict(label_pipeline=_base_.label_pipeline)

# The pool is small and the training short: a target that says how sure the teachers are varies less
# than one that takes each box for true (Menon et al. 2021, "A statistical perspective on
# distillation").
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmcompose.UncertainLabelsHook', soft_targets=True),
]
