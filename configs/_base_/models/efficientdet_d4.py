# EfficientDet-D4 (arXiv 1911.09070).
_base_ = ['./efficientdet_d0.py']

image_size = (1024, 1024)
model = dict(
    data_preprocessor=dict(pad_size_divisor=1024),
    backbone=dict(arch='b4'),
    neck=dict(in_channels=[56, 160, 448], out_channels=224, num_cells=7),
    bbox_head=dict(in_channels=224, stacked_convs=4),
)
