# The same student on the same images for the same time, with their true labels.
_base_ = ['./retinanet-r18_digits-a_yolox-femto_digits-b_atss-r18.py']

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CocoDataset',
        ann_file=_base_.data_root + 'annotations/unlabeled_truth.json',
        data_prefix=dict(img=_base_.data_root + 'unlabeled/'),
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=_base_.train_pipeline,
    )
)
