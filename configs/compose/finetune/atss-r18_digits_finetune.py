# The composed student of the digits, fine-tuned on some of the labels and the pseudo-labelled rest.
# `make demo` trains the student; then
#   python tools/split.py work_dirs/digits/scenes/annotations/unlabeled_truth.json \
#       --percent 1 5 10 --out work_dirs/digits/scenes/annotations
#   PERCENT=10 python tools/train.py configs/compose/finetune/atss-r18_digits_finetune.py
_base_ = [
    '../digits/retinanet-r18_digits-a_yolox-femto_digits-b_atss-r18.py',
    './_base_/finetune.py',
]

split = f'{_base_.data_root}annotations/unlabeled_truth.{_base_.fold}@{_base_.percent}'
work_dir = '{{$DIGITS_DIR:work_dirs/digits}}' + f'/finetuned_{_base_.fold}@{_base_.percent}'
load_from = '{{$DIGITS_DIR:work_dirs/digits}}/student/epoch_9.pth'

weak_pipeline = _base_.train_pipeline
strong_pipeline = [*_base_.train_pipeline[:-1], *_base_.strong, _base_.train_pipeline[-1]]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.MixedDataset',
        source_ratio=_base_.source_ratio,
        weights=_base_.weights,
        datasets=[
            dict(
                type='CocoDataset',
                ann_file=split + '.json',
                data_prefix=dict(img=_base_.data_root + 'unlabeled/'),
                filter_cfg=dict(filter_empty_gt=False),
                pipeline=weak_pipeline,
            ),
            dict(
                type='mmcompose.PseudoLabeledDataset',
                dataset=dict(
                    type='mmcompose.UnlabeledImages',
                    ann_file=split + '-unlabeled.json',
                    data_prefix=dict(img=_base_.data_root + 'unlabeled/'),
                ),
                # Labels are made of the whole pool, once for every split of it.
                pool=dict(
                    type='mmcompose.UnlabeledImages',
                    ann_file=_base_.data_root + 'annotations/unlabeled.json',
                    data_prefix=dict(img=_base_.data_root + 'unlabeled/'),
                ),
                pipeline=strong_pipeline,
            ),
        ],
    ),
)

custom_hooks = [_base_.ema_hook]
max_epochs = 3
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        eta_min=1e-5,
        convert_to_iter_based=True,
    ),
]
