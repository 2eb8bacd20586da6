# RT-DETR and its kin: stretched to a square, RGB 0-1, labels, boxes and scores come out.
teacher = dict(
    type='mmcompose.ONNXTeacher',
    model='checkpoints/rtdetr_r18.onnx',
    classes='coco',
    decode='detr',
    preprocess=dict(scale=(640, 640), bgr_to_rgb=True, std=[255.0]),
)
