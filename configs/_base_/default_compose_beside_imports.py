# default_compose.py beside a config that has custom_imports, for MMEngine refuses a key twice among
# bases. What inherits both has custom_imports of its own: the other's, and 'mmcompose.engine'.
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
