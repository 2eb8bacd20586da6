"""Mistakes in loops, optimizers and schedules."""

OPTIMIZER = 'optim_wrapper.optimizer'
SCHEDULE = 'param_scheduler'

MISTAKES = (
    ('train_cfg', None, 'train_cfg: is missing', None),
    ('train_cfg.type', 'EpochBasedTrainLop', 'train_cfg.type: ', 'EpochBasedTrainLoop'),
    ('train_cfg.max_epoch', 3, "train_cfg: 'max_epoch' is not a key", None),
    ('train_cfg.max_epochs', 0, 'train_cfg.max_epochs: 0 is not 1 or more', None),
    ('train_cfg.max_epochs', '12', "train_cfg.max_epochs: '12' is not a whole number", None),
    ('train_cfg.max_epochs', True, 'train_cfg.max_epochs: True is not a whole number', None),
    ('train_cfg.val_interval', 0, 'train_cfg.val_interval: 0 is not 1 or more', None),
    ('val_cfg.type', 'ValLop', "val_cfg.type: 'ValLop' is", 'ValLoop'),
    ('val_cfg.fp61', True, "val_cfg: 'fp61' is not a key", 'fp16'),
    ('optim_wrapper', None, 'optim_wrapper: is missing', None),
    ('optim_wrapper.type', 'OptimWraper', "optim_wrapper.type: 'OptimWraper' is", 'OptimWrapper'),
    ('optim_wrapper.clip_grads', {}, "optim_wrapper: 'clip_grads' is not a key", 'clip_grad'),
    ('optim_wrapper.accumulative_counts', 0, 'optim_wrapper.accumulative_counts: 0 is', None),
    ('optim_wrapper.accumulative_counts', '2', "optim_wrapper.accumulative_counts: '2' is", None),
    (f'{OPTIMIZER}.type', 'SGDD', f"{OPTIMIZER}.type: 'SGDD' is", 'SGD'),
    (f'{OPTIMIZER}.wheight_decay', 0.1, f"{OPTIMIZER}: 'wheight_decay' is not a key",
     'weight_decay'),
    (f'{OPTIMIZER}.lr', -0.1, f'{OPTIMIZER}.lr: -0.1 is refused by SGD', None),
    (f'{OPTIMIZER}.lr', '0.01', f"{OPTIMIZER}.lr: '0.01' is", None),
    (f'{OPTIMIZER}.momentum', -1, f'{OPTIMIZER}.momentum: -1 is refused by SGD', None),
    (f'{OPTIMIZER}.momentum', 'high', f"{OPTIMIZER}.momentum: 'high' is", None),
    (OPTIMIZER, 'SGD', f"{OPTIMIZER}: 'SGD' is no dict of a optimizer", None),
    (SCHEDULE, 0.1, f'{SCHEDULE}: 0.1 is not a dict or a list', None),
    (SCHEDULE, [{'type': 'CosineAnealingLR', 'T_max': 3}], f'{SCHEDULE}[0].type: ',
     'CosineAnnealingLR'),
    (SCHEDULE, [{'type': 'MultiStepLR', 'milestone': [3]}], f"{SCHEDULE}[0]: 'milestone' is not",
     'milestones'),
    (SCHEDULE, [{'type': 'MultiStepLR'}], f'{SCHEDULE}[0]: MultiStepLR cannot be built', None),
    (SCHEDULE, [{'type': 'LinearLR', 'start_factor': 3}], f'{SCHEDULE}[0].start_factor: 3', None),
    (SCHEDULE, [{'type': 'LinearLR', 'by_epoch': 'no'}], f"{SCHEDULE}[0].by_epoch: 'no' is", None),
    (SCHEDULE, [{'type': 'LinearLR', 'begin': 5, 'end': 3}], f'{SCHEDULE}[0]', None),
    (SCHEDULE, {'head': [{'type': 'LinearLRR'}]}, f'{SCHEDULE}.head[0].type: ', 'LinearLR'),
)  # fmt: skip
