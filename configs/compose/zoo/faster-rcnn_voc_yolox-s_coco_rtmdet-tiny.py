# Two detectors of the zoo, one of VOC's classes and one of COCO's, become one small one.
_base_ = ['mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py', '../../_base_/default_compose.py']

composition = dict(
    teachers=dict(
        voc=dict(
            type='mmcompose.MMDetTeacher',
            config='mmdet::pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py',
            checkpoint='checkpoints/faster-rcnn_r50_fpn_1x_voc0712.pth',
        ),
        coco=dict(
            type='mmcompose.MMDetTeacher',
            config='mmdet::yolox/yolox_s_8xb8-300e_coco.py',
            checkpoint='checkpoints/yolox_s_8xb8-300e_coco.pth',
        ),
    ),
    class_space=dict(aliases=['voc-coco']),
    label_pipeline=[
        dict(type='mmcompose.ScoreFilter', min_score=0.05),
        dict(type='mmcompose.WeightedBoxesFusion', iou_thr=0.55),
        # This student's assigner reads no ignore boxes.
        dict(type='mmcompose.ScoreBands', keep=0.4),
    ],
)

# RTMDet's mosaic and mixup keep pictures of their own, and need no dataset around this one.
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.PseudoLabeledDataset',
        dataset=dict(type='mmcompose.UnlabeledImages', data_prefix=dict(img='data/photographs')),
        pipeline=_base_.train_pipeline,
    )
)
