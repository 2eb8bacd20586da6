# Two detectors of the zoo become one small one.
_base_ = [
    'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    '_base_/voc_coco.py',
    '_base_/photographs.py',
]

# RTMDet's mosaic and mixup keep pictures of their own, and need no dataset around this one.
train_dataloader = dict(
    dataset=dict(_base_.photographs, _delete_=True, pipeline=_base_.train_pipeline)
)
