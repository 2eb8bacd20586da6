# The composition of the paper (arXiv 2110.10369): an EfficientDet-D0 that knows VOC's 20 classes
# and an EfficientDet-D1 that knows COCO's 80 become a RetinaNet-R50 of COCO's 80, without a label.
# mmcompose convert-effdet makes the teachers' checkpoints of published ones; POOL is any folder of
# pictures, here COCO's own without their annotations.
_base_ = [
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    '../../_base_/default_compose.py',
    '../../_base_/class_spaces/coco.py',
]

composition = dict(
    teachers=dict(
        voc=dict(
            type='mmcompose.MMDetTeacher',
            config='configs/efficientdet/efficientdet_d0_8xb16-300e_voc.py',
            checkpoint='checkpoints/efficientdet_d0_voc.pth',
        ),
        coco=dict(
            type='mmcompose.MMDetTeacher',
            config='configs/efficientdet/efficientdet_d1_8xb16-300e_coco.py',
            checkpoint='checkpoints/efficientdet_d1_coco.pth',
        ),
    ),
    class_space=_base_.class_space,
    label_pipeline=[
        dict(type='mmcompose.ScoreFilter', min_score=0.05),
        dict(type='mmcompose.WeightedBoxesFusion', iou_thr=0.55),
        # A focal loss keeps scores low.
        dict(type='mmcompose.ScoreBands', keep=0.4, ignore=0.2),
    ],
)

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.PseudoLabeledDataset',
        dataset=dict(
            type='mmcompose.UnlabeledImages',
            data_prefix=dict(img='{{$POOL:data/coco/train2017}}'),
        ),
        pipeline=_base_.train_pipeline,
    )
)
