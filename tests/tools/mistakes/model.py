"""Mistakes in ``model``."""

HEAD = 'model.bbox_head'

MISTAKES = (
    ('model', None, 'model: is missing', None),
    ('model', 'retinanet', "model: 'retinanet' is not a dict", None),
    ('model.type', 'RetinaNett', "model.type: 'RetinaNett' is not a registered", 'RetinaNet'),
    ('model.backbone.type', 'ResNett', "model.backbone.type: 'ResNett' is", 'ResNet'),
    ('model.backbone.depht', 18, "model.backbone: 'depht' is not a key", None),
    ('model.neck.num_out', 5, "model.neck: 'num_out' is not a key", None),
    (f'{HEAD}.type', 'RetinaHad', f"{HEAD}.type: 'RetinaHad' is", 'RetinaHead'),
    (f'{HEAD}.reg_decoded_box', True, f"{HEAD}: 'reg_decoded_box' is not a key",
     'reg_decoded_bbox'),
    (f'{HEAD}.loss_cls', {'type': 'FocalLos'}, f"{HEAD}.loss_cls.type: 'FocalLos' is", 'FocalLoss'),
    (f'{HEAD}.loss_cls', {'type': 'FocalLoss', 'gama': 2}, f"{HEAD}.loss_cls: 'gama' is not a key",
     'gamma'),
    (f'{HEAD}.anchor_generator.type', 'AnchorGeneratr', f'{HEAD}.anchor_generator.type: ',
     'AnchorGenerator'),
    (f'{HEAD}.bbox_coder', {'type': 'DeltaXYWHBBoxCodr'}, f'{HEAD}.bbox_coder.type: ',
     'DeltaXYWHBBoxCoder'),
    ('model.train_cfg.assigner.type', 'MaxIoUAssigne', 'model.train_cfg.assigner.type: ',
     'MaxIoUAssigner'),
    ('model.train_cfg.assigner.pos_iou', 0.5, "model.train_cfg.assigner: 'pos_iou' is not a key",
     None),
    ('model.data_preprocessor.men', [0], "model.data_preprocessor: 'men' is not a key", None),
)  # fmt: skip
