# What makes a config a composition: add this file to the _base_ of any MMDetection config, or
# default_compose_beside_imports.py where that has custom_imports.
_base_ = './default_compose_beside_imports.py'

custom_imports = dict(imports=['mmcompose.engine'], allow_failed_imports=False)
