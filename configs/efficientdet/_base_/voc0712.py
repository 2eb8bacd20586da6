# Pascal VOC 2007 and 2012, where MMDetection's own configs expect them.
_base_ = ['./dataloaders.py']

data_root = 'data/VOCdevkit/'
train_dataloader = dict(
    dataset=dict(
        type='ConcatDataset',
        # VOCDataset names its year in the metainfo, which then differs.
        ignore_keys=['dataset_type'],
        datasets=[
            dict(
                type='VOCDataset',
                data_root=data_root,
                ann_file=f'{year}/ImageSets/Main/trainval.txt',
                data_prefix=dict(sub_data_root=f'{year}/'),
                filter_cfg=dict(filter_empty_gt=True, min_size=32, bbox_min_size=32),
            )
            for year in ('VOC2007', 'VOC2012')
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        type='VOCDataset',
        data_root=data_root,
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='VOCMetric', metric='mAP', eval_mode='11points')
test_evaluator = val_evaluator
