# EfficientDet-D5 (arXiv 1911.09070).
_base_ = ['./efficientdet_d0.py']

image_size = (1280, 1280)
model = dict(
    data_preprocessor=dict(pad_size_divisor=1280),
    backbone=dict(arch='b5'),
    neck=dict(in_channels=[64, 176, 512], out_channels=288, num_cells=7),
    bbox_head=dict(in_channels=288, stacked_convs=4),
)
