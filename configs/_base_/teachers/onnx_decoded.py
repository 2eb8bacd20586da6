# A model that decodes inside and gives rows of x1 y1 x2 y2 score label; NHWC, RGB 0-255, stretched.
teacher = dict(
    type='mmcompose.ONNXTeacher',
    model='checkpoints/centernet_mobilenetv3.onnx',
    classes='coco',
    decode='ultralytics',
    preprocess=dict(channels_last=True, bgr_to_rgb=True),
)
