# The composed student of VOC, fine-tuned on some of the labels and the pseudo-labelled rest.
# benchmarks/voc_composition.py trains the student; then, with VOC_ROOT set,
#   python tools/split.py $VOC_ROOT/annotations/unlabeled_ground_truth.json \
#       --percent 1 5 10 --out work_dirs/voc/splits
#   PERCENT=10 python tools/train.py configs/compose/finetune/yolox-nano_voc_finetune.py
_base_ = [
    '../voc/yolox-nano_voc-a_yolox-nano_voc-b_yolox-nano_320_6e.py',
    './_base_/finetune.py',
]

split = '{{$VOC_SPLITS:work_dirs/voc/splits}}/unlabeled_ground_truth.'
split += f'{_base_.fold}@{_base_.percent}'
work_dir = f'work_dirs/voc/finetuned_{_base_.fold}@{_base_.percent}'
load_from = '{{$COMPOSED:work_dirs/voc/student/epoch_6.pth}}'

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
                data_prefix=dict(img=_base_.voc_root + '/images/'),
                filter_cfg=dict(filter_empty_gt=False),
                pipeline=weak_pipeline,
            ),
            dict(
                type='mmcompose.PseudoLabeledDataset',
                dataset=dict(
                    type='mmcompose.UnlabeledImages',
                    ann_file=split + '-unlabeled.json',
                    data_prefix=dict(img=_base_.voc_root + '/images/'),
                ),
                # Labels are made of the whole pool, once for every split of it.
                pool=dict(
                    type='mmcompose.UnlabeledImages',
                    ann_file=_base_.voc_root + '/annotations/unlabeled.json',
                    data_prefix=dict(img=_base_.voc_root + '/images/'),
                ),
                pipeline=strong_pipeline,
            ),
        ],
    ),
)

# Without the composition's ClassRowsHook, which starts the rows of all classes afresh.
custom_hooks = [
    _base_.ema_hook,
    dict(type='mmcompose.ChannelsLastHook'),
    dict(type='mmcompose.UncertainLabelsHook', soft_targets=True),
]
max_epochs = 3
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=2.5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.02,
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
