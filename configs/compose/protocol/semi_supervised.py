# Not of the paper: MMDetection's own way with a share of the true labels and the pool without any.
# The average of the student's weights labels, online, what it sees weakly augmented; the student
# learns that from strong augmentation, and the true labels beside it. Soft Teacher is this base
# with additions for two stages. Its checkpoint holds both, so that this config scores it, as
# scoring.py has it.
_base_ = ['scoring.py']

# As many steps as arms 3 to 5; from a composed student, as many as arms 6 to 8.
max_iters = _base_.composed_iters + _base_.finetuned_iters
train_cfg = dict(max_iters=max_iters, val_begin=max_iters + 1)
optim_wrapper = dict(optimizer=dict(lr=2e-4))

detector = _base_.model
model = dict(
    _delete_=True,
    type='SemiBaseDetector',
    detector=detector,
    data_preprocessor=dict(
        type='MultiBranchDataPreprocessor', data_preprocessor=detector.data_preprocessor
    ),
    semi_train_cfg=dict(
        freeze_teacher=True,
        sup_weight=1.0,
        unsup_weight=1.0,
        # Of sigmoids that focal loss trains; Soft Teacher's 0.9 is of a softmax.
        cls_pseudo_thr=0.4,
        min_pseudo_bbox_wh=(1e-2, 1e-2),
    ),
    semi_test_cfg=dict(predict_on='teacher'),
)

branches = ['sup', 'unsup_teacher', 'unsup_student']
colors = [
    [dict(type=name)]
    for name in ('AutoContrast', 'Brightness', 'Color', 'Contrast', 'Equalize', 'Sharpness')
]
cut = [_base_.train_pipeline[2], _base_.train_pipeline[3]]
flipped = dict(type='RandomFlip', prob=0.5)
padded = dict(type='Pad', size=_base_.crop_size, pad_val=dict(img=(127, 127, 127)))
packed = dict(
    type='PackDetInputs',
    meta_keys=(
        'img_id',
        'img_path',
        'ori_shape',
        'img_shape',
        'scale_factor',
        'flip',
        'flip_direction',
        'homography_matrix',
    ),
)
strong = [
    dict(type='RandAugment', aug_space=colors, aug_num=2),
    dict(type='RandomErasing', n_patches=(1, 4), ratio=(0, 0.15)),
]
true_pipeline = [
    *_base_.train_pipeline[:-1],
    dict(type='MultiBranch', branch_field=branches, sup=_base_.train_pipeline[-1]),
]
pool_pipeline = [
    _base_.train_pipeline[0],
    dict(type='LoadEmptyAnnotations'),
    dict(
        type='MultiBranch',
        branch_field=branches,
        unsup_teacher=[*cut, flipped, padded, packed],
        unsup_student=[*cut, flipped, *strong, padded, packed],
    ),
]
train_dataloader = dict(
    # With teachers, and so with mmcompose.CompositionRunner, the dataset's source_ratio would do.
    sampler=dict(
        _delete_=True,
        type='mmcompose.MixedSampler',
        batch_size=_base_.train_dataloader.batch_size,
        source_ratio=[1, 3],
    ),
    dataset=dict(
        _delete_=True,
        type='mmcompose.MixedDataset',
        datasets=[
            dict(
                type='CocoDataset',
                ann_file='{{$VOC_LABELED:data/voc/labeled.json}}',
                data_prefix=dict(img=_base_.voc_root + '/images/'),
                metainfo=dict(classes=_base_.voc_classes),
                filter_cfg=dict(filter_empty_gt=False),
                pipeline=true_pipeline,
            ),
            dict(
                type='mmcompose.UnlabeledImages',
                ann_file='{{$VOC_REST:data/voc/rest.json}}',
                data_prefix=dict(img=_base_.voc_root + '/images/'),
                metainfo=dict(classes=_base_.voc_classes),
                pipeline=pool_pipeline,
            ),
        ],
    ),
)
# The teacher is the average; BatchNorm's statistics with it, which a frozen teacher does not count.
custom_hooks = [
    dict(type='MeanTeacherHook', skip_buffer=False),
    dict(type='mmcompose.TeacherEvalHook'),
]
