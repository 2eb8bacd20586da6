# Not an arm: the pool half labelled for some classes, half for the others; the arm's teachers fill
# what is not. benchmarks/student_recipes.py draws the classes and writes the files.
_base_ = ['composed.py']

sources = [
    dict(
        type='mmcompose.PseudoLabeledDataset',
        dataset=dict(_base_.pool, ann_file=truth),
        # Labels are made of the whole pool, once for every arm.
        pool=_base_.pool,
        truth=dict(
            type='CocoDataset',
            ann_file=truth,
            data_prefix=_base_.pool.data_prefix,
        ),
        pipeline=_base_.train_pipeline,
    )
    for truth in ('{{$TRUTH_ONE:data/voc/one.json}}', '{{$TRUTH_OTHER:data/voc/other.json}}')
]
train_dataloader = dict(
    dataset=dict(_delete_=True, type='mmcompose.MixedDataset', datasets=sources)
)
