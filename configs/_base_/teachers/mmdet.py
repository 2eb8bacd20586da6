# A detector of MMDetection, or of a package built on it.
teacher = dict(
    type='mmcompose.MMDetTeacher',
    config='mmdet::yolox/yolox_s_8xb8-300e_coco.py',
    checkpoint='checkpoints/yolox_s.pth',
)
