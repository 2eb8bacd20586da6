# The composed student of the digits, fine-tuned on some of the labels and the pseudo-labelled rest.
# `make demo` trains the student; then
#   mmcompose split work_dirs/digits/scenes/annotations/unlabeled_truth.json \
#       --percent 1 5 10 --out work_dirs/digits/scenes/annotations
#   PERCENT=10 mmcompose train configs/compose/finetune/atss-r18_digits_finetune.py
_base_ = [
    '../digits/retinanet-r18_digits-a_yolox-femto_digits-b_atss-r18.py',
    './_base_/finetune.py',
    '../../_base_/ema.py',
]

split = f'{_base_.data_root}annotations/unlabeled_truth.{_base_.fold}@{_base_.percent}'
work_dir = '{{$DIGITS_DIR:work_dirs/digits}}' + f'/finetuned_{_base_.fold}@{_base_.percent}'
load_from = '{{$DIGITS_DIR:work_dirs/digits}}/student/epoch_9.pth'

strong_pipeline = [*_base_.train_pipeline[:-1], *_base_.strong, _base_.train_pipeline[-1]]
train_dataloader = dict(
    dataset=dict(
        _base_.mixture,
        datasets=[
            dict(
                _base_.labelled,
                ann_file=split + '.json',
                data_prefix=_base_.pool.data_prefix,
                pipeline=_base_.train_pipeline,
            ),
            dict(
                _base_.rest,
                dataset=dict(_base_.pool, ann_file=split + '-unlabeled.json'),
                pool=_base_.pool,
                pipeline=strong_pipeline,
            ),
        ],
    )
)

custom_hooks = [_base_.ema_hook]
max_epochs = 3
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
warmup, cosine = _base_.param_scheduler
param_scheduler = [
    dict(warmup, end=50),
    dict(cosine, begin=0, end=max_epochs, T_max=max_epochs),
]
