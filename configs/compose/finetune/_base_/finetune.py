# Fine-tuning on a few labels: what is the same whatever the student is. tools/split.py makes the
# files: STEM.FOLD@PERCENT.json (the labelled part) and STEM.FOLD@PERCENT-unlabeled.json (the rest).
fold = '{{$FOLD:1}}'
percent = '{{$PERCENT:10}}'

# Of four images one is labelled; a pseudo-label counts half as much as a true one.
source_ratio = [1, 3]
weights = [1.0, 0.5]

# The average of the weights is what is tested, and what its BatchNorm statistics belong to:
# without update_buffers they would be those of the last weights alone.
ema_hook = dict(
    type='EMAHook',
    ema_type='ExpMomentumEMA',
    momentum=0.002,
    gamma=100,
    update_buffers=True,
    priority=49,
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
