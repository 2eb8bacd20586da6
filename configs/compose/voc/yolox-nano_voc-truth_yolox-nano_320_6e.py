# As with the teachers, without them: what is not labelled in a picture is left out of the loss.
_base_ = ['./yolox-nano_voc-a_yolox-nano_voc-b_yolox-nano_320_6e.py']

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
