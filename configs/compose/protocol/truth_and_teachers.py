# Not an arm: the pool half labelled for some classes, half for the others; the arm's teachers fill
# what is not. benchmarks/truth_and_teachers.py draws the classes and writes the files.
_base_ = ['composed.py']

sources = [
    dict(
        type='mmcompose.PseudoLabeledDataset',
        dataset=dict(
            type='mmcompose.UnlabeledImages',
            ann_file=truth,
            data_prefix=dict(img=_base_.voc_root + '/images/'),
        ),
        # Labels are made of the whole pool, once for every arm.
        pool=dict(
            type='mmcompose.UnlabeledImages',
            ann_file=_base_.voc_root + '/annotations/unlabeled.json',
            data_prefix=dict(img=_base_.voc_root + '/images/'),
        ),
        truth=dict(
            type='CocoDataset',
            ann_file=truth,
            data_prefix=dict(img=_base_.voc_root + '/images/'),
        ),
        pipeline=_base_.train_pipeline,
    )
    for truth in ('{{$TRUTH_ONE:data/voc/one.json}}', '{{$TRUTH_OTHER:data/voc/other.json}}')
]
train_dataloader = dict(
    dataset=dict(_delete_=True, type='mmcompose.MixedDataset', datasets=sources)
)
