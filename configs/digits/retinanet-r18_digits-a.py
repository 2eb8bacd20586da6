# Teacher A: an anchor-based detector that knows the digits 0 to 5.
_base_ = ['_base_/teacher_a.py', '_base_/resnet18_quarter.py', '_base_/schedule.py']

custom_imports = dict(imports=['mmcompose.engine'], allow_failed_imports=False)
model = dict(
    type='RetinaNet',
    data_preprocessor=_base_.preprocessor,
    bbox_head=dict(
        type='RetinaHead',
        num_classes=len(_base_.classes),
        in_channels=48,
        feat_channels=48,
        stacked_convs=2,
        norm_cfg=dict(type='GN', num_groups=8, requires_grad=True),
        anchor_generator=dict(
            type='AnchorGenerator',
            octave_base_scale=2,
            scales_per_octave=2,
            # Digits are upright.
            ratios=[1.0, 1.6],
            strides=[8, 16, 32],
        ),
        reg_decoded_bbox=True,
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    ),
    train_cfg=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
    ),
    test_cfg=dict(
        nms_pre=300, score_thr=0.01, nms=dict(type='nms', iou_threshold=0.5), max_per_img=50
    ),
)
