# The paper's fine-tuning with 5 % of the labels.
_base_ = ['./_base_/retinanet-r50_finetune.py']

split = _base_.stem + '5'
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(_base_.labelled, ann_file=split + '.json'),
            dict(
                _base_.rest,
                dataset=dict(_base_.rest.dataset, ann_file=split + '-unlabeled.json'),
            ),
        ]
    )
)
