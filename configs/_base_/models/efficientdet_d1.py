# EfficientDet-D1 (arXiv 1911.09070).
_base_ = ['./efficientdet_d0.py']

image_size = (640, 640)
model = dict(
    data_preprocessor=dict(pad_size_divisor=640),
    backbone=dict(arch='b1'),
    neck=dict(out_channels=88, num_cells=4),
    bbox_head=dict(in_channels=88),
)
