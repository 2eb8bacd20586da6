# Arms 6 to 8: the student of arm 10, on a share of the true labels and the pseudo-labelled rest.
_base_ = ['features.py']

max_iters = _base_.finetuned_iters
train_cfg = dict(max_iters=max_iters, val_begin=max_iters + 1)
load_from = '{{$COMPOSED:work_dirs/protocol/composed_with_features/iter_2250.pth}}'
optim_wrapper = dict(optimizer=dict(lr=2e-4))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.MixedDataset',
        # Of four images one is labelled, or twelve of them would be learned by heart; a
        # pseudo-label counts half as much as a true one.
        source_ratio=[1, 3],
        weights=[1.0, 0.5],
        datasets=[
            dict(
                type='CocoDataset',
                ann_file='{{$VOC_LABELED:data/voc/labeled.json}}',
                data_prefix=_base_.pool.data_prefix,
                metainfo=dict(classes=_base_.voc_classes),
                filter_cfg=dict(filter_empty_gt=False),
                pipeline=_base_.train_pipeline,
            ),
            dict(
                type='mmcompose.PseudoLabeledDataset',
                dataset=dict(_base_.pool, ann_file='{{$VOC_REST:data/voc/rest.json}}'),
                # Labels are made of the whole pool, once for every split of it.
                pool=_base_.pool,
                pipeline=_base_.train_pipeline,
            ),
        ],
    )
)
