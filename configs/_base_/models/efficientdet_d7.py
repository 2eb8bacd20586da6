# EfficientDet-D7 (arXiv 1911.09070).
_base_ = ['./efficientdet_d0.py']

image_size = (1536, 1536)
model = dict(
    data_preprocessor=dict(pad_size_divisor=1536),
    backbone=dict(arch='b6'),
    neck=dict(in_channels=[72, 200, 576], out_channels=384, num_cells=8, weighted=False),
    bbox_head=dict(in_channels=384, stacked_convs=5, anchor_generator=dict(anchor_scale=5.0)),
)
