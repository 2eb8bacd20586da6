# Not an arm: how every arm's student is scored, whatever it learned from. Difficult objects count
# as neither found nor missed, as pycocotools has it.
_base_ = ['oracle.py']

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.ClassSpaceDataset',
        dataset=_base_.test_dataloader.dataset,
        classes=_base_.voc_classes,
    )
)
val_dataloader = test_dataloader
