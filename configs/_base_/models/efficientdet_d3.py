# EfficientDet-D3 (arXiv 1911.09070).
_base_ = ['./efficientdet_d0.py']

image_size = (896, 896)
model = dict(
    data_preprocessor=dict(pad_size_divisor=896),
    backbone=dict(arch='b3'),
    neck=dict(in_channels=[48, 136, 384], out_channels=160, num_cells=6),
    bbox_head=dict(in_channels=160, stacked_convs=4),
)
