"""Mistakes at a config's root, and in hooks, evaluators and the like."""

HOOKS = 'custom_hooks'
LOGGER = 'default_hooks.logger'
LABELS = {'type': 'mmcompose.UncertainLabelsHook'}
REFRESH = {'type': 'mmcompose.PseudoLabelRefreshHook'}

MISTAKES = (
    # Keys that nothing reads.
    ('store', 'work_dirs/labels', "store: 'work_dirs/labels' stands outside composition", None),
    ('label_pipeline', [], 'label_pipeline: [] stands outside composition', None),
    ('workers', 3, 'workers: 3 stands outside composition', None),
    ('optim_wraper', {}, "config: 'optim_wraper' is no key that anything reads", None),
    ('custom_hook', [], "config: 'custom_hook' is no key that anything reads", None),
    ('load_form', 'a.pth', "config: 'load_form' is no key that anything reads", None),
    ('train_dataloadr', {}, "config: 'train_dataloadr' is no key that anything reads", None),
    ('allow', 'unknown-key', "allow: 'unknown-key' is no list of checks", 'unknown-key'),
    ('allow', ['unknown-keys'], "allow[0]: 'unknown-keys' is no check", 'unknown-key'),
    # Values of another kind.
    ('train_dataloader', 3, 'train_dataloader: 3 is not a dict or None', None),
    ('optim_wrapper', ({},), 'optim_wrapper: ({},) is not a dict or None; remove the comma', None),
    ('work_dir', 3, 'work_dir: 3 is not a string', None),
    ('work_dir', '~/runs', "work_dir: '~/runs' begins with ~", '~'),
    ('load_from', ['a.pth'], "load_from: ['a.pth'] is not a string", None),
    ('load_from', 'none.pth', "load_from: 'none.pth' is no file", None),
    ('resume', 'yes', "resume: 'yes' is not True or False", None),
    ('default_scope', 3, 'default_scope: 3 is not a string', None),
    ('log_level', 'LOUD', "log_level: 'LOUD' is no level of logging", None),
    ('log_level', 'WARN1NG', "log_level: 'WARN1NG' is no level of logging", 'WARNING'),
    ('randomness', {'sed': 0}, "randomness: 'sed' is not a key", 'seed'),
    ('randomness', {'seed': '0'}, "randomness.seed: '0' is not a whole number", None),
    ('env_cfg', {'cudnn_benchmrk': True}, "env_cfg: 'cudnn_benchmrk' is not a key",
     'cudnn_benchmark'),
    ('log_processor', {'windowsize': 9}, "log_processor: 'windowsize' is not a key", 'window_size'),
    ('visualizer', {'type': 'DetLocalVisualizr'}, 'visualizer.type: ', 'DetLocalVisualizer'),
    ('visualizer', {'type': 'DetLocalVisualizer', 'vis_backends': [{'type': 'LocalVisBackends'}]},
     "visualizer.vis_backends[0].type: 'LocalVisBackends' is", 'LocalVisBackend'),
    # Hooks.
    (HOOKS, 'EMAHook', f"{HOOKS}: 'EMAHook' is not a list or None", None),
    (HOOKS, [3], f'{HOOKS}[0]: 3 is not a dict', None),
    (HOOKS, [{}], f'{HOOKS}[0]: {{}} is no dict of a hook', None),
    (HOOKS, [{'type': 'mmcompose.ClassRowHook'}], f'{HOOKS}[0].type: ', 'mmcompose.ClassRowsHook'),
    (HOOKS, [LABELS, {'type': 'EMAHok'}], f"{HOOKS}[1].type: 'EMAHok' is", 'EMAHook'),
    (HOOKS, [{**LABELS, 'uncovered_objectness': 3}],
     f'{HOOKS}[0].uncovered_objectness: 3 is not in [0, 1]', None),
    (HOOKS, [{**LABELS, 'soft_target': True}], f"{HOOKS}[0]: 'soft_target' is not a key",
     'soft_targets'),
    (HOOKS, [{**LABELS, 'soft_targets': 'yes'}], f"{HOOKS}[0].soft_targets: 'yes' is not", None),
    (HOOKS, [REFRESH], f'{HOOKS}[0].interval: is missing', None),
    (HOOKS, [{**REFRESH, 'interval': 0}], f'{HOOKS}[0].interval: 0 is not 1 or more', None),
    (HOOKS, [{**REFRESH, 'interval': 1, 'iou_thr': 5}], f'{HOOKS}[0].iou_thr: 5 is not in', None),
    (HOOKS, [{**REFRESH, 'interval': 1.5}], f'{HOOKS}[0].interval: 1.5 is not a whole', None),
    (HOOKS, [{'type': 'EMAHook', 'momentun': 0.002}], f"{HOOKS}[0]: 'momentun' is not a key",
     'momentum'),
    (HOOKS, [{'type': 'EMAHook', 'ema_type': 'ExpMomentumEMAA'}], f'{HOOKS}[0].ema_type: ',
     'ExpMomentumEMA'),
    (f'{LOGGER}.type', 'LogerHook', f"{LOGGER}.type: 'LogerHook' is", 'LoggerHook'),
    (f'{LOGGER}.ignore_lst', True, f"{LOGGER}: 'ignore_lst' is not a key", 'ignore_last'),
    (f'{LOGGER}.interval', 'often', f"{LOGGER}.interval: 'often' is not a whole number", None),
    ('default_hooks.checkpoint', {'type': 'CheckpointHook', 'intervall': 2},
     "default_hooks.checkpoint: 'intervall' is not a key", 'interval'),
    # Evaluators.
    ('val_evaluator', None, 'val_evaluator: is missing', None),
    ('val_evaluator', 'bbox', "val_evaluator: 'bbox' is not a dict", None),
    ('val_evaluator', {'metrics': ['bbox']}, "val_evaluator.metrics[0]: 'bbox' is no dict", None),
    ('val_evaluator.type', 'CocoMetrc', "val_evaluator.type: 'CocoMetrc' is", 'CocoMetric'),
    ('val_evaluator.metrik', 'bbox', "val_evaluator: 'metrik' is not a key", None),
)  # fmt: skip
