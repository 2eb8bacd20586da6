# The composed RetinaNet-R50, fine-tuned on some of COCO's labels and the pseudo-labelled rest.
# First
#   python tools/split.py data/coco/annotations/instances_train2017.json \
#       --percent 1 5 10 --out data/coco/annotations
_base_ = [
    '../efficientdet-d0_voc_efficientdet-d1_coco_retinanet-r50_1x.py',
    '../../finetune/_base_/finetune.py',
]

stem = 'data/coco/annotations/instances_train2017.{{$FOLD:1}}@'
pool = '{{$POOL:data/coco/train2017}}'
load_from = '{{$COMPOSED:work_dirs/retinanet-r50_composed/epoch_12.pth}}'

labelled = dict(
    type='CocoDataset',
    data_prefix=dict(img=pool + '/'),
    filter_cfg=dict(filter_empty_gt=False),
    pipeline=_base_.train_pipeline,
)
rest = dict(
    type='mmcompose.PseudoLabeledDataset',
    dataset=dict(type='mmcompose.UnlabeledImages', data_prefix=dict(img=pool + '/')),
    # Labels are made of the whole pool, once for every split of it.
    pool=dict(type='mmcompose.UnlabeledImages', data_prefix=dict(img=pool)),
    pipeline=[*_base_.train_pipeline[:-1], *_base_.strong, _base_.train_pipeline[-1]],
)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        _delete_=True,
        type='mmcompose.MixedDataset',
        source_ratio=_base_.source_ratio,
        weights=_base_.weights,
    ),
)

custom_hooks = [_base_.ema_hook]
max_epochs = 6
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=0.0025))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
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
