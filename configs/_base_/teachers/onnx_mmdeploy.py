# MMDeploy's export of an MMDetection detector with ImageNet's normalisation.
teacher = dict(
    type='mmcompose.ONNXTeacher',
    model='checkpoints/end2end.onnx',
    classes='coco',
    decode='mmdeploy',
    preprocess=dict(
        scale=(1344, 800),
        keep_ratio=True,
        pad_val=0,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
)
