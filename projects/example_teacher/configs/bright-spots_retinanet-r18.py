# A RetinaNet learns what the bright-spot teacher sees in a folder of pictures.
_base_ = [
    'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py',
    '../../../configs/_base_/default_compose.py',
]

# The only wiring: importing the package registers the teacher.
custom_imports = dict(imports=['mmcompose.engine', 'example_teacher'])

composition = dict(
    teachers=dict(spots=dict(type='BrightSpotTeacher', threshold=180)),
    label_pipeline=[
        dict(type='mmcompose.ScoreFilter', min_score=0.1),
        dict(type='mmcompose.ScoreBands', keep=0.5, ignore=0.3),
    ],
)

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.PseudoLabeledDataset',
        dataset=dict(type='mmcompose.UnlabeledImages', data_prefix=dict(img='pictures')),
        pipeline=_base_.train_pipeline,
    )
)
