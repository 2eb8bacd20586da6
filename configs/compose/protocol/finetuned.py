# Arms 6 to 8: the composed student, on a share of the true labels and the pseudo-labelled rest.
_base_ = ['supervised.py', '../../_base_/label_pipelines/default.py']

composition = dict(label_pipeline=_base_.label_pipeline)

load_from = '{{$COMPOSED:work_dirs/protocol/composed/iter_1500.pth}}'
optim_wrapper = dict(optimizer=dict(lr=2e-4))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.MixedDataset',
        source_ratio=[1, 1],
        datasets=[
            dict(
                type='CocoDataset',
                ann_file=_base_.labeled,
                data_prefix=dict(img=_base_.voc_root + '/images/'),
                filter_cfg=dict(filter_empty_gt=False),
                pipeline=_base_.train_pipeline,
            ),
            dict(
                type='mmcompose.PseudoLabeledDataset',
                dataset=dict(
                    type='mmcompose.UnlabeledImages',
                    ann_file='{{$VOC_REST:data/voc/rest.json}}',
                    data_prefix=dict(img=_base_.voc_root + '/images/'),
                ),
                pipeline=_base_.train_pipeline,
            ),
        ],
    )
)
