# The composed RetinaNet-R50, fine-tuned on some of COCO's labels and the pseudo-labelled rest.
# First
#   mmcompose split data/coco/annotations/instances_train2017.json \
#       --percent 1 5 10 --out data/coco/annotations
_base_ = [
    '../efficientdet-d0_voc_efficientdet-d1_coco_retinanet-r50_1x.py',
    '../../finetune/_base_/finetune.py',
    '../../../_base_/ema.py',
]

stem = 'data/coco/annotations/instances_train2017.{{$FOLD:1}}@'
load_from = '{{$COMPOSED:work_dirs/retinanet-r50_composed/epoch_12.pth}}'
folder = '{{$POOL:data/coco/train2017}}'
pool = dict(type='mmcompose.UnlabeledImages', data_prefix=dict(img=folder))
strong_pipeline = [*_base_.train_pipeline[:-1], *_base_.strong, _base_.train_pipeline[-1]]
# By percent of the labels.
sources = {
    percent: [
        dict(
            _base_.labelled,
            ann_file=stem + percent + '.json',
            data_prefix=dict(img=folder + '/'),
            pipeline=_base_.train_pipeline,
        ),
        dict(
            _base_.rest,
            dataset=dict(
                type='mmcompose.UnlabeledImages',
                ann_file=stem + percent + '-unlabeled.json',
                data_prefix=dict(img=folder + '/'),
            ),
            pool=pool,
            pipeline=strong_pipeline,
        ),
    ]
    for percent in ('1', '5', '10')
}
train_dataloader = dict(batch_size=4, dataset=_base_.mixture)

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
