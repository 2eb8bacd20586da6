# Two teachers of six digits each become one student of all ten, without a label.
_base_ = [
    '../../digits/_base_/scenes.py',
    '../../digits/_base_/schedule.py',
    '../../digits/_base_/atss_r18.py',
    '../../_base_/default_compose.py',
]

teacher_root = '{{$DIGITS_DIR:work_dirs/digits}}'
composition = dict(
    teachers=dict(
        a=dict(
            type='mmcompose.MMDetTeacher',
            config='configs/digits/retinanet-r18_digits-a.py',
            checkpoint=teacher_root + f'/teacher_a/epoch_{_base_.max_epochs}.pth',
            batch_size=32,
        ),
        b=dict(
            type='mmcompose.MMDetTeacher',
            config='configs/digits/yolox-femto_digits-b.py',
            checkpoint=teacher_root + f'/teacher_b/epoch_{_base_.max_epochs}.pth',
            batch_size=32,
        ),
    ),
    store=teacher_root + '/labels',
)

pool = dict(
    type='mmcompose.UnlabeledImages',
    ann_file=_base_.data_root + 'annotations/unlabeled.json',
    data_prefix=dict(img=_base_.data_root + 'unlabeled/'),
)
train_dataloader = dict(
    dataset=dict(
        type='mmcompose.PseudoLabeledDataset',
        dataset=pool,
        pipeline=_base_.train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type='CocoDataset',
        ann_file=_base_.data_root + 'annotations/test.json',
        data_prefix=dict(img=_base_.data_root + 'test/'),
        test_mode=True,
        pipeline=_base_.test_pipeline,
    )
)
val_evaluator = dict(type='CocoMetric', metric='bbox')
test_dataloader = dict(_base_.val_dataloader, **val_dataloader)
test_evaluator = val_evaluator
