# For each size of input, by its pixels: a model takes those of its image_size. A config sets
# pipelines to None when it has taken its own, or its dump would hold those of all sizes.
pipelines = {
    size: (
        [
            dict(type='LoadImageFromFile', backend_args=None),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='RandomResize', scale=(size, size), ratio_range=(0.1, 2.0), keep_ratio=True),
            dict(type='RandomCrop', crop_size=(size, size)),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ],
        [
            dict(type='LoadImageFromFile', backend_args=None),
            dict(type='Resize', scale=(size, size), keep_ratio=True),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(
                type='PackDetInputs',
                meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
            ),
        ],
    )
    for size in (512, 640, 768, 896, 1024, 1280, 1536)
}
