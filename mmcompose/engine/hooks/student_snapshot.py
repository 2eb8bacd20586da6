"""A student in training, saved so that it predicts like any teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.runner import Runner

from mmcompose.composition import STUDENT, Composition
from mmcompose.datasets import pseudo_labeled
from mmcompose.engine.read_composition import first_pseudo_labeled
from mmcompose.engine.unwrapped import unwrapped
from mmcompose.teachers.mmdet.pipeline import test_steps
from mmcompose.utils import UserError, at_root, atomic_write, fault

CONFIG = 'student.py'
_KEY = 'work_dir'


def student_teacher(folder: Path, number: int, weight: float) -> dict[str, Any]:
    """Return the config dict of the student of a round as a teacher.

    Args:
        folder: Where :func:`save_student` saved it.
        number: Of the round.
        weight: How much its vote counts.
    """
    return {
        'type': 'mmcompose.MMDetTeacher',
        'config': str(folder / CONFIG),
        'checkpoint': str(folder / f'round_{number}.pth'),
        'weight': weight,
    }


def check_student(config: Config, weight: float) -> None:
    """Check that the student can join its teachers, before anything is made or written.

    Args:
        config: The run's, resolved.
        weight: How much the student's vote will count.

    Raises:
        UserError: If the training set holds no pseudo-labels, the config has no test pipeline, or
            a step of the label pipeline does not know what to do with one more teacher.
    """
    found = first_pseudo_labeled(config)
    if found is None:
        raise UserError(
            fault(
                '',
                'PseudoLabelRefreshHook makes labels anew, but train_dataloader.dataset '
                'holds no mmcompose.PseudoLabeledDataset',
            )
        )
    student_config(config)
    with at_root():
        _check_joins(Composition.from_config(found['composition']), weight)


def _check_joins(composition: Composition, weight: float) -> None:
    classes = list(composition.class_space.classes)
    record = {'name': STUDENT, 'classes': classes, 'identity': ''}
    composition.with_teacher(STUDENT, student_teacher(Path(), 0, weight), record)


def student_config(config: Config) -> Config:
    """Return the part of a run's config that decides what its model predicts on an image."""
    steps = student_steps(config, 'PseudoLabelRefreshHook needs one for the student')
    parts = {
        'default_scope': config.get('default_scope'),
        'model': config.model,
        'test_dataloader': {'dataset': {'pipeline': steps}},
    }
    if 'custom_imports' in config:
        parts['custom_imports'] = config.custom_imports
    return Config(parts)


def student_steps(config: Config, need: str) -> Sequence[Mapping[str, Any]]:
    """Return the steps by which a run's student is tested on a picture.

    Args:
        config: The run's.
        need: Who needs them, as the message has it.

    Raises:
        UserError: If the config has none.
    """
    try:
        return test_steps(config)
    except UserError as error:
        expected = f'is missing, and test_dataloader and val_dataloader have none; {need}'
        raise UserError(fault('test_pipeline', expected, is_absolute=True)) from error


def save_student(runner: Runner, folder: Path, number: int) -> None:
    """Save a run's student as it is now: the same weights make the same bytes.

    Args:
        runner: The run.
        folder: Where to.
        number: Of the round.

    Raises:
        UserError: If it cannot be written.
    """
    labeled = next(pseudo_labeled(runner.train_dataloader.dataset))
    content = {
        'state_dict': {name: tensor.cpu() for name, tensor in current_weights(runner).items()},
        'meta': {'dataset_meta': {'classes': labeled.metainfo['classes']}},
    }
    # Into memory first: torch puts a file's own name into what it writes there.
    buffer = BytesIO()
    torch.save(content, buffer)
    with atomic_write(_KEY, folder / f'round_{number}.pth') as temporary:
        temporary.write_bytes(buffer.getbuffer())
    with atomic_write(_KEY, folder / CONFIG) as temporary:
        temporary.write_text(student_config(runner.cfg).pretty_text)


def current_weights(runner: Runner) -> dict[str, torch.Tensor]:
    """Return the average of the student's weights where an EMAHook keeps one, else its weights."""
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            return dict(unwrapped(hook.ema_model).state_dict())
    return dict(unwrapped(runner.model).state_dict())
