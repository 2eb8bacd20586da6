# Ultralytics' exports, raw or end to end: letterbox in the middle, RGB 0-1.
teacher = dict(
    type='mmcompose.ONNXTeacher',
    model='checkpoints/yolo11n.onnx',
    classes='coco',
    decode='ultralytics',
    preprocess=dict(keep_ratio=True, center=True, bgr_to_rgb=True, std=[255.0]),
)
