# EfficientDet-D0 (arXiv 1911.09070); D1 to D7 change a few figures of it.
image_size = (512, 512)
model = dict(
    type='SingleStageDetector',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        # To the square that the published models see, filled with the mean.
        pad_size_divisor=512,
    ),
    backbone=dict(
        type='EfficientNet',
        arch='b0',
        out_indices=(3, 4, 5),
        drop_path_rate=0.2,
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01),
    ),
    neck=dict(type='mmcompose.BiFPN', in_channels=[40, 112, 320], out_channels=64, num_cells=3),
    bbox_head=dict(
        type='mmcompose.EfficientDetHead',
        # Overwritten by the number of classes in the class space.
        num_classes=80,
        in_channels=64,
        stacked_convs=3,
        anchor_generator=dict(type='mmcompose.EfficientDetAnchorGenerator', anchor_scale=4.0),
    ),
    train_cfg=dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=0.5,
            neg_iou_thr=0.5,
            min_pos_iou=0,
        ),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
        debug=False,
    ),
    test_cfg=dict(
        nms_pre=1000,
        min_bbox_size=0,
        score_thr=0.001,
        nms=dict(type='nms', iou_threshold=0.5),
        max_per_img=100,
    ),
)
