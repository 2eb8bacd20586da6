# Teacher B: an anchor-free detector that knows the digits 4 to 9.
_base_ = ['_base_/teacher.py', '_base_/schedule.py']

custom_imports = dict(imports=['mmcompose.engine'], allow_failed_imports=False)
# In the order of the annotation file's categories: MMDetection takes labels in that order.
classes = ('4', '5', '6', '7', '8', '9')
norm_cfg = dict(type='BN', momentum=0.03, eps=0.001)
model = dict(
    type='YOLOX',
    data_preprocessor=_base_.preprocessor,
    backbone=dict(
        type='CSPDarknet',
        deepen_factor=0.33,
        widen_factor=0.125,
        out_indices=(2, 3, 4),
        norm_cfg=norm_cfg,
        act_cfg=dict(type='ReLU'),
    ),
    neck=dict(
        type='YOLOXPAFPN',
        in_channels=[32, 64, 128],
        out_channels=48,
        num_csp_blocks=1,
        norm_cfg=norm_cfg,
        act_cfg=dict(type='ReLU'),
    ),
    bbox_head=dict(
        type='YOLOXHead',
        num_classes=len(classes),
        in_channels=48,
        feat_channels=48,
        norm_cfg=norm_cfg,
        act_cfg=dict(type='ReLU'),
    ),
    train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
    test_cfg=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.5), max_per_img=50),
)

train_dataloader = dict(
    dataset=dict(
        ann_file=_base_.data_root + 'annotations/teacher_b.json',
        data_prefix=dict(img=_base_.data_root + 'teacher_b/'),
        metainfo=dict(classes=classes),
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file=_base_.data_root + 'annotations/val_b.json', metainfo=dict(classes=classes)
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=val_dataloader['dataset']['ann_file'])
test_evaluator = val_evaluator
