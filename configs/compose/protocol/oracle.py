# Arm 2: the same student on the same images for the same time, with their true labels.
_base_ = ['_base_/student.py']

custom_imports = dict(imports=['mmcompose.engine'], allow_failed_imports=False)
train_dataloader = dict(
    dataset=dict(
        type='CocoDataset',
        ann_file=_base_.voc_root + '/annotations/unlabeled_ground_truth.json',
        data_prefix=dict(img=_base_.voc_root + '/images/'),
        metainfo=dict(classes=_base_.voc_classes),
        filter_cfg=dict(filter_empty_gt=False),
        pipeline=_base_.train_pipeline,
    )
)
