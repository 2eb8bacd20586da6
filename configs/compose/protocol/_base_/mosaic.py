# Every other picture is one of four, cut out of their middle; one of three lies over another.
# Objects are as large as with the plain pipeline.
mosaic_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomChoice',
        prob=[0.5, 0.5],
        transforms=[
            [
                dict(
                    type='CachedMosaic', img_scale=(320, 320), pad_val=127.0, max_cached_images=20
                ),
                dict(
                    type='RandomResize', scale=(640, 640), ratio_range=(0.5, 1.2), keep_ratio=True
                ),
                dict(type='RandomCrop', crop_size=(256, 256), allow_negative_crop=True),
            ],
            [
                dict(
                    type='RandomResize', scale=(320, 320), ratio_range=(0.6, 1.3), keep_ratio=True
                ),
                dict(type='RandomCrop', crop_size=(256, 256), allow_negative_crop=True),
            ],
        ],
    ),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=(256, 256), pad_val=dict(img=(127, 127, 127))),
    dict(
        type='CachedMixUp',
        img_scale=(256, 256),
        ratio_range=(1.0, 1.0),
        pad_val=127.0,
        max_cached_images=20,
        prob=0.3,
    ),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(4, 4), keep_empty=False),
    dict(type='PackDetInputs'),
]
