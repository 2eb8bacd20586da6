# Fine-tuning on a few labels: what is the same whatever the student is. mmcompose split makes the
# files: STEM.FOLD@PERCENT.json (the labelled part) and STEM.FOLD@PERCENT-unlabeled.json (the rest).
fold = '{{$FOLD:1}}'
percent = '{{$PERCENT:10}}'

# Of four images one is labelled; a pseudo-label counts half as much as a true one.
source_ratio = [1, 3]
weights = [1.0, 0.5]

# The two sources. A config adds their files and pipelines.
labelled = dict(type='CocoDataset', filter_cfg=dict(filter_empty_gt=False))
# With the whole pool beside it, of which labels are made once for every split.
rest = dict(type='mmcompose.PseudoLabeledDataset')
mixture = dict(
    _delete_=True,
    type='mmcompose.MixedDataset',
    source_ratio=source_ratio,
    weights=weights,
)

# What a pseudo-labelled picture goes through beside the student's own augmentation: a noisy label
# costs less where the student may not learn the picture by heart (Noisy Student, STAC).
strong = [
    dict(
        type='RandAugment',
        aug_space=[
            [dict(type='AutoContrast')],
            [dict(type='Brightness')],
            [dict(type='Color')],
            [dict(type='Contrast')],
            [dict(type='Equalize')],
            [dict(type='Sharpness')],
        ],
        aug_num=2,
    ),
    dict(type='RandomErasing', n_patches=(1, 4), ratio=(0, 0.15)),
]
