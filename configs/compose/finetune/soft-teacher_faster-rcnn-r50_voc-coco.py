# SoftTeacher of MMDetection, which begins with a composed student in place of both its student and
# its teacher: that of configs/compose/zoo/faster-rcnn_voc_yolox-s_coco_faster-rcnn-r50-caffe.py.
# Its checkpoint has neither 'student.' nor 'teacher.' in its names: SemiBaseDetector loads it into
# both.
_base_ = [
    'mmdet::soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py',
    '../zoo/_base_/voc_coco.py',
    './_base_/finetune.py',
]

load_from = '{{$COMPOSED:work_dirs/faster-rcnn_composed/epoch_12.pth}}'
data_root = '{{$VOC_ROOT:data/voc}}'
split = '{{$VOC_SPLITS:work_dirs/voc/splits}}/unlabeled_ground_truth.'
split += f'{_base_.fold}@{_base_.percent}'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.MixedDataset',
        source_ratio=[1, 4],
        datasets=[
            dict(
                type='CocoDataset',
                ann_file=split + '.json',
                data_prefix=dict(img=data_root + '/images/'),
                filter_cfg=dict(filter_empty_gt=False),
                pipeline=_base_.sup_pipeline,
            ),
            dict(
                type='mmcompose.UnlabeledImages',
                ann_file=split + '-unlabeled.json',
                data_prefix=dict(img=data_root + '/images/'),
                pipeline=_base_.unsup_pipeline,
            ),
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root='',
        ann_file=data_root + '/annotations/val.json',
        data_prefix=dict(img=data_root + '/images/'),
    )
)
test_dataloader = val_dataloader

# With skip_buffer, its default, the BatchNorm statistics of the teacher would not be averaged; in
# training mode, in which SoftTeacher leaves it, they would be its own last batches'.
custom_hooks = [
    dict(type='MeanTeacherHook', skip_buffer=False),
    dict(type='mmcompose.TeacherEvalHook'),
]
