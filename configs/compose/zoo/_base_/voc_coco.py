# Two detectors of the zoo, one of VOC's classes and one of COCO's.
_base_ = ['../../../_base_/default_compose.py']

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
        dict(type='mmcompose.ScoreBands', keep=0.4, ignore=0.2),
    ],
)
