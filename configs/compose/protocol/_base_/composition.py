# A's 12 of VOC's classes and COCO's 80, from another framework, and the pool that they label.
_base_ = ['student.py', '../../voc/_base_/teachers.py', '../../../_base_/default_compose.py']

composition = dict(
    teachers=dict(
        voc_a=_base_.voc_a,
        coco=dict(
            type='mmcompose.ONNXTeacher',
            model='{{$CENTERNET_COCO:checkpoints/centernet_mobilenetv3_coco.onnx}}',
            classes='coco',
            # x1, y1, x2, y2, score, label: other detectors that decode inside give the same.
            decode='ultralytics',
            preprocess=dict(bgr_to_rgb=True, channels_last=True),
        ),
    ),
    class_space=_base_.class_space,
)

train_dataloader = dict(
    dataset=dict(
        type='mmcompose.PseudoLabeledDataset',
        dataset=_base_.pool,
        pipeline=_base_.train_pipeline,
    )
)
# One table compares all arms; a card of each would take longer than the shortest of them.
card = None
