"""What pseudo-labels cost a training step: bands and soft targets beside a plain CocoDataset."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import LOOPS
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn

from mmcompose.engine import CompositionRunner
from mmcompose.teachers import read_config
from tests import toys

STUDENT = 'mmdet::yolox/yolox_nano_8xb8-300e_coco.py'
SIZE, PICTURES, BATCH, FIRST_STEPS = (320, 320), 64, 8, 2
PIPELINE: list[dict[str, Any]] = [
    {'type': 'LoadImageFromFile'},
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {'type': 'Resize', 'scale': SIZE, 'keep_ratio': True},
    {'type': 'Pad', 'size': SIZE, 'pad_val': {'img': (114.0, 114.0, 114.0)}},
    {'type': 'PackDetInputs'},
]
# Scores of the drawn pictures' teachers reach from 0.6 to 0.99: some boxes are of either band.
BANDS = [*toys.LABEL_PIPELINE[:-1], {'type': 'mmcompose.ScoreBands', 'keep': 0.75, 'ignore': 0.6}]


@LOOPS.register_module()
class SingleSteps(IterBasedTrainLoop):
    """Prepares a training and leaves its steps to the caller, one by one."""

    def run(self) -> nn.Module:
        """Do all that comes before the first step."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        return self.runner.model

    def step(self) -> float:
        """Load a batch and learn from it; return what that took, in seconds.

        Of the processor; where there is a GPU, until it is done.
        """
        on_gpu = torch.cuda.is_available()
        clock = time.perf_counter if on_gpu else time.process_time
        begin = clock()
        self.run_iter(next(self.dataloader_iterator))
        if on_gpu:
            torch.cuda.synchronize()
        return clock() - begin


def training_step(folder: Path, steps: int) -> dict[str, dict[str, float]]:
    """Return what a step takes by turns, and the ratio to that of a plain CocoDataset.

    Args:
        folder: Where pictures, labels and work directories go.
        steps: How many of each.
    """
    torch.set_num_threads(1)
    drawn = toys.draw(folder / 'pool', PICTURES)
    truth = toys.write_coco(folder / 'truth.json', drawn, dict(enumerate(toys.STUDENT, start=1)))
    soft = {'type': 'mmcompose.UncertainLabelsHook', 'soft_targets': True}
    ways: dict[str, Callable[[], Runner]] = {
        'CocoDataset': lambda: Runner.from_cfg(_plain(folder, truth)),
        'bands': lambda: CompositionRunner.from_cfg(_composed(folder, 'bands')),
        'soft targets': lambda: CompositionRunner.from_cfg(_composed(folder, 'soft', soft)),
    }
    loops = {}
    for name, make in ways.items():
        runner = make()
        runner.train()
        loops[name] = runner.train_loop
    took = np.array([[loop.step() for loop in loops.values()] for _ in range(FIRST_STEPS + steps)])
    took = took[FIRST_STEPS:]
    ratios = np.median(took / took[:, :1], axis=0).tolist()
    medians = np.median(took, axis=0).tolist()
    return {
        name: {'s': seconds, 'ratio': ratio}
        for name, seconds, ratio in zip(loops, medians, ratios, strict=True)
    }


def _config(folder: Path, dataset: dict[str, Any], **more: Any) -> Config:
    model = read_config(STUDENT).model
    # Batches of several sizes are drawn at random: each way would have its own.
    model.data_preprocessor = {'type': 'DetDataPreprocessor', 'pad_size_divisor': 32}
    model.bbox_head.num_classes = len(toys.STUDENT)
    loader = {'batch_size': BATCH, 'num_workers': 0, 'sampler': {'type': 'InfiniteSampler'}}
    plain = {
        'model': model,
        'default_scope': 'mmdet',
        'train_dataloader': {**loader, 'dataset': {**dataset, 'pipeline': PIPELINE}},
        'train_cfg': {'type': 'SingleSteps', 'max_iters': 10_000},
        'optim_wrapper': {
            'type': 'OptimWrapper',
            'optimizer': {'type': 'AdamW', 'lr': 1e-3},
        },
        'randomness': {'seed': 0},
        'log_level': 'WARNING',
        'work_dir': str(folder / 'work'),
    }
    return Config({**plain, **more})


def _plain(folder: Path, truth: str) -> Config:
    dataset = {
        'type': 'CocoDataset',
        'ann_file': truth,
        'data_prefix': {'img': str(folder / 'pool')},
        'metainfo': {'classes': toys.STUDENT},
    }
    return _config(folder, dataset)


def _composed(folder: Path, name: str, *hooks: dict[str, Any]) -> Config:
    images = {
        'type': 'mmcompose.UnlabeledImages',
        'data_prefix': {'img': str(folder / 'pool')},
    }
    dataset = {'type': 'mmcompose.PseudoLabeledDataset', 'dataset': images}
    return _config(
        folder,
        dataset,
        custom_imports={'imports': ['mmcompose.engine'], 'allow_failed_imports': False},
        runner_type='mmcompose.CompositionRunner',
        composition=toys.composition(folder / 'store', label_pipeline=BANDS),
        custom_hooks=list(hooks),
        card=None,
        experiment_name=name,
    )
