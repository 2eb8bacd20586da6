# The composed student of VOC, fine-tuned on some of the labels and the pseudo-labelled rest.
# benchmarks/voc_composition.py trains the student; then, with VOC_ROOT set,
#   mmcompose split $VOC_ROOT/annotations/unlabeled_ground_truth.json \
#       --percent 1 5 10 --out work_dirs/voc/splits
#   PERCENT=10 mmcompose train configs/compose/finetune/yolox-nano_voc_finetune.py
_base_ = [
    '../voc/yolox-nano_voc-a_yolox-nano_voc-b_yolox-nano_320_6e.py',
    './_base_/finetune.py',
]

split = '{{$VOC_SPLITS:work_dirs/voc/splits}}/unlabeled_ground_truth.'
split += f'{_base_.fold}@{_base_.percent}'
work_dir = f'work_dirs/voc/finetuned_{_base_.fold}@{_base_.percent}'
load_from = '{{$COMPOSED:work_dirs/voc/composed_from_teachers/epoch_6.pth}}'

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

# Without the composition's ClassRowsHook, which starts the rows of all classes afresh.
custom_hooks = [hook for hook in _base_.custom_hooks if hook.type != 'mmcompose.ClassRowsHook']
max_epochs = 3
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=2.5e-4))
warmup, cosine = _base_.param_scheduler
param_scheduler = [warmup, dict(cosine, end=max_epochs, T_max=max_epochs)]
