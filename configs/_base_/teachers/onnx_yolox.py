# YOLOX as its authors export it: raw outputs, letterbox of 114 in the upper left, BGR 0-255.
teacher = dict(
    type='mmcompose.ONNXTeacher',
    model='checkpoints/yolox_nano.onnx',
    classes='coco',
    decode='yolox',
    preprocess=dict(keep_ratio=True, pad_val=114),
)
