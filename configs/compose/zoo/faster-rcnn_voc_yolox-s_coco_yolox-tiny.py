# Two detectors of the zoo become one small one.
_base_ = [
    'mmdet::yolox/yolox_tiny_8xb8-300e_coco.py',
    '_base_/voc_coco.py',
    '_base_/photographs.py',
]

# Mosaic and mixup mix pictures of one dataset: they stand around the pseudo-labelled one.
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _base_.photographs,
            _delete_=True,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations', with_bbox=True),
            ],
        )
    )
)
