# Not an arm: as truth_and_teachers.py, without teachers: what is not labelled in a picture is left
# out of the loss.
_base_ = ['composed.py']

sources = [
    dict(
        type='CocoDataset',
        ann_file=truth,
        data_prefix=_base_.pool.data_prefix,
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=_base_.train_pipeline,
    )
    for truth in ('{{$TRUTH_ONE:data/voc/one.json}}', '{{$TRUTH_OTHER:data/voc/other.json}}')
]
train_dataloader = dict(
    dataset=dict(_delete_=True, type='mmcompose.MixedDataset', datasets=sources)
)
