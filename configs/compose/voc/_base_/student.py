# The student, the pool, what is tested on, and two teachers of 12 classes each.
_base_ = ['../../../_base_/models/yolox-nano_320.py', '../../../_base_/default_compose.py']

voc_root = '{{$VOC_ROOT:data/voc}}'
teacher_root = '{{$VOC_TEACHERS:work_dirs/voc}}'

composition = dict(
    teachers=dict(
        voc_a=dict(
            type='mmcompose.MMDetTeacher',
            config='configs/voc/yolox-nano_320_voc-a.py',
            checkpoint=teacher_root + '/teacher_a/epoch_6.pth',
        ),
        voc_b=dict(
            type='mmcompose.MMDetTeacher',
            config='configs/voc/yolox-nano_320_voc-b.py',
            checkpoint=teacher_root + '/teacher_b/epoch_6.pth',
        ),
    ),
    class_space=dict(aliases=['voc-coco']),
)

# The initial weights are a detector of COCO's classes, which has all of VOC's. Its rows of them
# are thrown away, so that all the student knows of a class comes from the teachers' labels.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmcompose.ClassRowsHook', keep=False),
]

train_dataloader = dict(
    _delete_=True,
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmcompose.PseudoLabeledDataset',
        dataset=dict(
            type='mmcompose.UnlabeledImages',
            ann_file=voc_root + '/annotations/unlabeled.json',
            data_prefix=dict(img=voc_root + '/images/'),
        ),
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    _delete_=True,
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        ann_file=voc_root + '/annotations/val.json',
        data_prefix=dict(img=voc_root + '/images/'),
        test_mode=True,
        pipeline=_base_.test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='CocoMetric', metric='bbox')
test_evaluator = val_evaluator
