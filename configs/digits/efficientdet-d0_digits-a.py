# EfficientDet-D0 from scratch, on scenes of 128 pixels with the digits 0 to 5.
_base_ = ['_base_/teacher_a.py', '_base_/schedule.py', '../_base_/models/efficientdet_d0.py']

custom_imports = dict(imports=['mmcompose.engine'], allow_failed_imports=False)
# Not BatchNorm: eight images of this size have too few pixels at strides of 32 and more for its
# statistics to hold of others: the loss falls, too, but is hundreds of times higher in eval mode.
norm_cfg = dict(type='GN', num_groups=8)
model = dict(
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5], std=[64.0, 64.0, 64.0], bgr_to_rgb=False, pad_size_divisor=128
    ),
    backbone=dict(drop_path_rate=0.0, norm_cfg=dict(_delete_=True, **norm_cfg)),
    neck=dict(norm_cfg=norm_cfg),
    bbox_head=dict(
        num_classes=len(_base_.classes), norm_cfg=norm_cfg, anchor_generator=dict(anchor_scale=2.0)
    ),
    test_cfg=dict(nms_pre=300, score_thr=0.01, max_per_img=50),
)

# Larger than the teachers of the demo, and as long in training with fewer epochs.
max_epochs = 4
train_cfg = dict(max_epochs=max_epochs, val_interval=1)
warmup, cosine = _base_.param_scheduler
param_scheduler = [warmup, dict(cosine, begin=0, end=max_epochs, T_max=max_epochs)]
