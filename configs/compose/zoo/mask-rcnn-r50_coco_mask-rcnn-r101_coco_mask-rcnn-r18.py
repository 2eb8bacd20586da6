# Two Mask R-CNN of the zoo become a smaller one: masks are fused as boxes are, by their votes.
_base_ = [
    'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    '../../_base_/default_compose.py',
    '_base_/photographs.py',
]

composition = dict(
    teachers=dict(
        r50=dict(
            type='mmcompose.MMDetTeacher',
            config='mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
            checkpoint='checkpoints/mask-rcnn_r50_fpn_1x_coco.pth',
        ),
        r101=dict(
            type='mmcompose.MMDetTeacher',
            config='mmdet::mask_rcnn/mask-rcnn_r101_fpn_1x_coco.py',
            checkpoint='checkpoints/mask-rcnn_r101_fpn_1x_coco.pth',
        ),
    ),
    label_pipeline=[
        dict(type='mmcompose.ScoreFilter', min_score=0.05),
        dict(type='mmcompose.WeightedBoxesFusion', iou_thr=0.55),
        dict(type='mmcompose.ScoreBands', keep=0.5, ignore=0.3),
    ],
)

model = dict(
    backbone=dict(depth=18, init_cfg=dict(checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[64, 128, 256, 512]),
)

# COCO's own pipeline loads masks (with_mask=True), and so the pseudo-labels have them.
train_dataloader = dict(
    dataset=dict(_base_.photographs, _delete_=True, pipeline=_base_.train_pipeline)
)
