"""Look at what a run reads, builds and writes before anything is made or written.

Names are looked up in MMEngine's default scope, which is the caller's to set.
"""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.config import Config

from mmcompose.checks.check_composition import composition_problems
from mmcompose.checks.check_datasets import (
    dataset_problems,
    file_problems,
    label_problems,
    pipeline_problems,
    truth_problems,
)
from mmcompose.checks.check_files import check_checkpoint, check_launcher
from mmcompose.checks.check_hooks import check_hooks
from mmcompose.checks.check_loaders import loader_problems
from mmcompose.checks.check_model import model_problems
from mmcompose.checks.check_optim_constructor import optim_constructor_problems
from mmcompose.checks.check_runner_parts import run_problems
from mmcompose.checks.check_schedule import schedule_warnings
from mmcompose.checks.check_top_level import top_level_problems
from mmcompose.checks.check_training import buildable, device_problems, training_problems
from mmcompose.checks.check_value_types import LOADERS, value_type_problems
from mmcompose.utils import Mistakes, Problem, check_names, check_writable, warn, without_allowed


def structure_problems(config: Config, loaders: Sequence[str] = LOADERS) -> list[Problem]:
    """Return every mistake of a config that keeps it from being resolved.

    Args:
        config: As its file has it, so that keys are those of the file.
        loaders: The data loaders that will be used. Defaults to all.
    """
    names = check_names('allow', config.get('allow') or ())
    problems = [*names, *composition_problems(config), *top_level_problems(config)]
    types = value_type_problems(config)
    if not types:
        for name in loaders:
            if config.get(name) is not None:
                problems += dataset_problems(f'{name}.dataset', config[name].get('dataset'))
        problems += model_problems(config)
    return types + without_allowed(problems)


def loader_and_file_problems(config: Config, name: str) -> list[Problem]:
    """Return every mistake of a data loader beside its structure; see :func:`structure_problems`.

    Args:
        config: As its file has it.
        name: 'train_dataloader', 'val_dataloader' or 'test_dataloader'; it may be absent.
    """
    loader = config.get(name)
    if loader is None:
        return []
    key = f'{name}.dataset'
    labels = label_problems(key, loader.dataset) if name == 'train_dataloader' else []
    problems = [*loader_problems(name, loader), *labels, *file_problems(key, loader.dataset)]
    return without_allowed(problems)


def part_problems(config: Config, is_here: bool = True) -> list[Problem]:
    """Return every mistake of what a run alone needs, beside model and hooks.

    A Runner would find them one by one, the last of them after all labels are made.

    Args:
        config: As its file has it; its structure is right, see :func:`structure_problems`.
        is_here: Whether the run will be on this machine; a device that it lacks is a warning
            otherwise. Defaults to True.
    """
    training = training_problems(config)
    problems = [*run_problems(config), *training]
    devices = device_problems(config)
    if (loader := config.get('train_dataloader')) is not None:
        problems += pipeline_problems('train_dataloader.dataset', loader.dataset)
    mistakes = Mistakes()
    with mistakes:
        check_checkpoint('load_from', config.get('load_from'))
    with mistakes:
        check_writable('work_dir', config.get('work_dir') or 'work_dirs', folder=True)
    with mistakes:
        check_launcher(config.get('launcher') or 'none')
    if is_here:
        problems += devices
    else:
        for each in devices:
            warn(str(each))
    if not training:
        for line in schedule_warnings(config):
            warn(line)
    return problems + mistakes.problems


def resolved_problems(
    config: Config, loaders: Sequence[str], hooks: bool, training: bool
) -> list[Problem]:
    """Return what only a resolved config shows: ground truth in the student's classes, hooks.

    Args:
        config: A resolved config.
        loaders: The data loaders that will be used, and whose files are there.
        hooks: Whether to let hooks look at the config; all of them can be built.
        training: Whether to let a constructor of the optimizer wrapper look at the model; both can
            be built.
    """
    mistakes = Mistakes()
    for name in loaders:
        if config.get(name) is not None:
            mistakes.add(*truth_problems(f'{name}.dataset', config[name].dataset))
    if hooks:
        with mistakes:
            check_hooks(config)
    if training and (config.get('optim_wrapper') or {}).get('constructor') is not None:
        wrapper = buildable(config.optim_wrapper)
        mistakes.add(*optim_constructor_problems(wrapper, config.model))
    return mistakes.problems
