# A's 12 of VOC's classes and COCO's 80, from another framework, and the pool that they label.
_base_ = ['student.py', '../../../_base_/default_compose.py']

teacher_root = '{{$VOC_TEACHERS:work_dirs/voc}}'

composition = dict(
    teachers=dict(
        voc_a=dict(
            type='mmcompose.MMDetTeacher',
            config='configs/voc/yolox-nano_320_voc-a.py',
            checkpoint=teacher_root + '/teacher_a/epoch_6.pth',
        ),
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
        dataset=dict(
            type='mmcompose.UnlabeledImages',
            ann_file=_base_.voc_root + '/annotations/unlabeled.json',
            data_prefix=dict(img=_base_.voc_root + '/images/'),
        ),
        pipeline=_base_.train_pipeline,
    )
)
