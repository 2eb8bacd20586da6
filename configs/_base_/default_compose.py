# What makes a config a composition: add this file to the _base_ of any MMDetection config.
custom_imports = dict(imports=['mmcompose.engine'], allow_failed_imports=False)
runner_type = 'mmcompose.CompositionRunner'
composition = dict(
    label_pipeline=[
        dict(type='mmcompose.ScoreFilter', min_score=0.01),
        dict(type='mmcompose.WeightedBoxesFusion', iou_thr=0.55),
        dict(type='mmcompose.ScoreBands', keep=0.5, ignore=0.3),
    ],
    store='work_dirs/labels',
)
