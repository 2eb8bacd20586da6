# Not an arm: how every student is scored, whatever it learned from. Difficult objects count as
# neither found nor missed, as pycocotools has it.
_base_ = ['./yolox-nano_voc-oracle_yolox-nano_320_6e.py', '../../_base_/class_spaces/voc.py']

test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.ClassSpaceDataset',
        dataset=_base_.test_dataloader.dataset,
        classes=_base_.voc_classes,
    )
)
val_dataloader = test_dataloader
