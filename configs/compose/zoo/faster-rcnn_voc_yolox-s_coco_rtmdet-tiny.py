# Two detectors of the zoo become one small one.
_base_ = ['mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py', '_base_/voc_coco.py']

# RTMDet's mosaic and mixup keep pictures of their own, and need no dataset around this one.
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcompose.PseudoLabeledDataset',
        dataset=dict(type='mmcompose.UnlabeledImages', data_prefix=dict(img='data/photographs')),
        pipeline=_base_.train_pipeline,
    )
)
