# COCO's 80 classes and one more, without COCO: a detector of the 80 labels pictures in which
# somebody labelled the new class alone. The truth rules that class, the teacher fills the others.
_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../../_base_/default_compose.py',
    '../../_base_/class_spaces/coco.py',
]

new_class = '{{$NEW_CLASS:forklift}}'
data_root = '{{$NEW_ROOT:data/forklifts}}'
checkpoint = '{{$COCO:checkpoints/retinanet_r50_fpn_1x_coco.pth}}'
composition = dict(
    teachers=dict(
        coco=dict(
            type='mmcompose.MMDetTeacher',
            config='mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
            checkpoint=checkpoint,
        )
    ),
    class_space=dict(_base_.class_space, classes=[*_base_.coco_classes, new_class]),
    label_pipeline=[
        dict(type='mmcompose.ScoreFilter', min_score=0.05),
        # A focal loss keeps scores low.
        dict(type='mmcompose.ScoreBands', keep=0.4, ignore=0.2),
    ],
)

# The student goes on from the teacher: it keeps the rows of the 80 classes.
load_from = checkpoint
pictures = dict(img=data_root + '/images/')
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.PseudoLabeledDataset',
        dataset=dict(
            type='mmcompose.UnlabeledImages',
            ann_file=data_root + '/annotations/train.json',
            data_prefix=pictures,
        ),
        # Its categories are what it covers; COCO's classes are left out of the file.
        truth=dict(
            type='CocoDataset',
            ann_file=data_root + '/annotations/train.json',
            data_prefix=pictures,
            metainfo=dict(classes=(new_class,)),
        ),
        pipeline=_base_.train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root='',
        ann_file=data_root + '/annotations/val.json',
        data_prefix=pictures,
        metainfo=dict(classes=(new_class,)),
    )
)
test_dataloader = val_dataloader
max_epochs = 4
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', by_epoch=True, milestones=[3], end=max_epochs),
]
