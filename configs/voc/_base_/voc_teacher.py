# What the teachers on VOC share: all but their classes and their training file.
_base_ = ['./yolox-nano_320_voc.py']

custom_imports = dict(imports=['mmcompose.engine'], allow_failed_imports=False)

# The file has labels of all 20 classes.
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.ClassSpaceDataset',
        dataset=_base_.test_dataloader.dataset,
    ),
)
val_dataloader = test_dataloader
