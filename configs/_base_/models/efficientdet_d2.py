# EfficientDet-D2 (arXiv 1911.09070).
_base_ = ['./efficientdet_d0.py']

image_size = (768, 768)
model = dict(
    data_preprocessor=dict(pad_size_divisor=768),
    backbone=dict(arch='b2'),
    neck=dict(in_channels=[48, 120, 352], out_channels=112, num_cells=5),
    bbox_head=dict(in_channels=112),
)
