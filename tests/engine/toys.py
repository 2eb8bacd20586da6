"""A compose config with a tiny student."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

from mmengine.config import Config

from tests import toys
from tests.teachers.conftest import CONFIG

TRAIN_PIPELINE = [
    {'type': 'LoadImageFromFile', 'backend_args': None},
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {'type': 'RandomFlip', 'prob': 0.5},
    {'type': 'PackDetInputs'},
]
TEST_PIPELINE = [
    {'type': 'LoadImageFromFile', 'backend_args': None},
    {'type': 'Resize', 'scale': (96, 64), 'keep_ratio': True},
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {
        'type': 'PackDetInputs',
        'meta_keys': ['img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'],
    },
]


def student_config(pool: Path, truth: str, folder: Path, **changes: Any) -> Config:
    """Return a config of a RetinaNet of 8 channels that learns from both toy teachers."""
    config = Config.fromstring(CONFIG, '.py')
    for name in ('tta_model', 'tta_pipeline', 'test_pipeline'):
        config.pop(name)
    config.model.backbone.pop('init_cfg')
    config.model.train_cfg = {
        'assigner': {
            'type': 'MaxIoUAssigner',
            'pos_iou_thr': 0.5,
            'neg_iou_thr': 0.4,
            'min_pos_iou': 0,
        },
        'sampler': {'type': 'PseudoSampler'},
        'allowed_border': -1,
        'pos_weight': -1,
        'debug': False,
    }
    # A student that has hardly learned yet still finds something to score.
    config.model.test_cfg.score_thr = 0.0
    labeled = {
        'type': 'CocoDataset',
        'ann_file': truth,
        'data_prefix': {'img': str(pool)},
        'test_mode': True,
        'pipeline': TEST_PIPELINE,
    }
    validation = {
        'batch_size': 4,
        'num_workers': 0,
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'dataset': labeled,
    }
    config.merge_from_dict(
        {
            'custom_imports': {'imports': ['mmcompose.engine'], 'allow_failed_imports': False},
            'runner_type': 'mmcompose.CompositionRunner',
            'composition': toys.composition(folder / 'store'),
            'work_dir': str(folder / 'work'),
            'train_dataloader': {
                'batch_size': 2,
                'num_workers': 0,
                'sampler': {'type': 'DefaultSampler', 'shuffle': True},
                'batch_sampler': {'type': 'AspectRatioBatchSampler'},
                'dataset': {
                    'type': 'mmcompose.PseudoLabeledDataset',
                    'dataset': {
                        'type': 'mmcompose.UnlabeledImages',
                        'data_prefix': {'img': str(pool)},
                    },
                    'pipeline': TRAIN_PIPELINE,
                },
            },
            'val_dataloader': validation,
            'val_evaluator': {'type': 'CocoMetric', 'metric': 'bbox', 'ann_file': truth},
            'val_cfg': {'type': 'ValLoop'},
            'test_cfg': {'type': 'TestLoop'},
            'test_evaluator': {'type': 'CocoMetric', 'metric': 'bbox', 'ann_file': truth},
            'train_cfg': {'type': 'EpochBasedTrainLoop', 'max_epochs': 1},
            'optim_wrapper': {
                'type': 'OptimWrapper',
                'optimizer': {'type': 'SGD', 'lr': 0.001, 'momentum': 0.9},
            },
            'default_hooks': {'logger': {'type': 'LoggerHook', 'interval': 1}},
            'randomness': {'seed': 0},
            'default_scope': 'mmdet',
            'log_level': 'WARNING',
        }
    )
    config.test_dataloader = validation
    config.merge_from_dict(changes)
    return config


def damaged_config(pool: Path, truth: str, folder: Path) -> Config:
    """Return :func:`student_config` of a copy of a pool whose third picture cannot be read."""
    copied = folder / 'damaged'
    shutil.copytree(pool, copied)
    (copied / '002.png').write_bytes(b'no picture')
    config = student_config(copied, truth, folder)
    config.composition.max_unreadable = 0.5
    return config


def add_pool(config: Config, folder: Path) -> None:
    """Draw three pictures in a folder, and let the student learn from them, too."""
    toys.draw(folder, 3)
    loader = config.train_dataloader
    second = copy.deepcopy(loader.dataset)
    second.dataset.data_prefix.img = str(folder)
    loader.dataset = {'type': 'ConcatDataset', 'datasets': [loader.dataset, second]}
