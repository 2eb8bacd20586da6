# What makes a config a composition: add this file to the _base_ of any MMDetection config.
custom_imports = dict(imports=['mmcompose.engine'], allow_failed_imports=False)
runner_type = 'mmcompose.CompositionRunner'
composition = dict(
    # Read and not inherited: MMEngine would leave its name in, and refuse a config that has another
    # of label_pipelines/ beside this file among its bases.
    label_pipeline=__import__('mmengine')
    .Config.fromfile('{{ fileDirname }}/label_pipelines/default.py')
    .label_pipeline,
    store='work_dirs/labels',
)
# After training, the composition card beside the checkpoint; None leaves it out.
card = dict(pictures=200, max_scored=500)
