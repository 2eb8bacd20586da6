# All but the model, the size of its input and the data set.
_base_ = ['./pipelines.py', './schedule_300e.py', 'mmdet::_base_/default_runtime.py']

custom_imports = dict(imports=['mmcompose.models'], allow_failed_imports=False)
# A model adds the checkpoint of its own backbone.
pretrained = dict(type='Pretrained', prefix='backbone')
