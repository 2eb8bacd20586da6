# A's 12 of VOC's classes and COCO's 80, from another framework: the pool, and what is tested on.
_base_ = ['../../../_base_/default_compose.py', '../../../_base_/class_spaces/voc.py']

voc_root = '{{$VOC_ROOT:data/voc}}'
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
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmcompose.PseudoLabeledDataset',
        dataset=dict(
            type='mmcompose.UnlabeledImages',
            ann_file=voc_root + '/annotations/unlabeled.json',
            data_prefix=dict(img=voc_root + '/images/'),
        ),
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        ann_file=voc_root + '/annotations/val.json',
        data_prefix=dict(img=voc_root + '/images/'),
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='CocoMetric', metric='bbox')
test_evaluator = val_evaluator
