# The same student on the same images for the same time, with their true labels.
_base_ = ['./yolox-nano_voc-a_yolox-nano_voc-b_yolox-nano_320_6e.py']

voc_root = '{{$VOC_ROOT:data/voc}}'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CocoDataset',
        ann_file=voc_root + '/annotations/unlabeled_ground_truth.json',
        data_prefix=dict(img=voc_root + '/images/'),
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=_base_.train_pipeline,
    )
)
