"""Make a config's pseudo-labels without training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dist import init_dist, is_main_process
from mmengine.registry import DefaultScope

from mmcompose.datasets import PseudoLabeledDataset, pseudo_labeled
from mmcompose.engine.hooks.label_summary import summary
from mmcompose.engine.inputs import check_launcher, check_loader
from mmcompose.engine.resolve import resolve
from mmcompose.store import to_coco
from mmcompose.teachers import read_config
from mmcompose.utils import UserError, check_writable, log, no_file, write_json


def read_config_file(path: str) -> Config:
    """Read a config that is named on a command line.

    Raises:
        UserError: If there is none at ``path``, with the most alike, or it cannot be read.
    """
    if '::' not in path and not Path(path).is_file():
        raise UserError(no_file('config', path))
    return read_config(path)


def read_compose_config(path: str, options: dict[str, Any] | None = None) -> Config:
    """Read a config that must have a composition.

    Raises:
        UserError: If there is none at ``path``, or it has no composition.
    """
    config = read_config_file(path)
    if options:
        merge_options(config, options)
    if not isinstance(config.get('composition'), Mapping):
        raise UserError(f'composition: is missing from {path}; see _base_/default_compose.py')
    return config


def merge_options(config: Config, options: Mapping[str, Any]) -> None:
    """Change a config as ``--cfg-options`` say.

    Raises:
        UserError: If one of them leads nowhere in the config.
    """
    for name, value in options.items():
        try:
            config.merge_from_dict({name: value})
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise UserError(f'--cfg-options: {name}={value!r} cannot be set: {error}') from error


def label(config: Config, export: str | None = None, launcher: str = 'none') -> None:
    """Make the pseudo-labels that a training run of this config would make.

    Args:
        config: A config with a composition.
        export: Path of a COCO json that the labels are also written to.
        launcher: 'none', or what started this process and its peers.

    Raises:
        UserError: If the training set holds no pseudo-labelled dataset, or ``launcher`` did not
            start this process.
    """
    if export is not None:
        check_writable('--export', export)
    check_launcher(launcher)
    if config.get('train_dataloader') is None:
        raise UserError('train_dataloader: is missing; there is nothing to label')
    _join(launcher, config.get('env_cfg', {}).get('dist_cfg') or {'backend': 'nccl'})
    resolved = resolve(config)
    check_loader(resolved, 'train_dataloader')
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmdet')):
        train = DATASETS.build(dict(resolved.train_dataloader.dataset, lazy_init=True))
    found = list(pseudo_labeled(train))
    if not found:
        raise UserError('train_dataloader.dataset: holds no mmcompose.PseudoLabeledDataset')
    for dataset in found:
        dataset.full_init()
        if is_main_process():
            log(summary(dataset))
    if export is not None and is_main_process():
        _export(found[0], export)


def _join(launcher: str, dist_cfg: Mapping[str, Any]) -> None:
    """Join the processes that a launcher started beside this one."""
    if launcher == 'none':
        return
    if launcher == 'pytorch' and not torch.cuda.is_available():
        # MMEngine would ask for a GPU; the configs' nccl would, too.
        torch.distributed.init_process_group('gloo')
    else:
        init_dist(launcher, **dist_cfg)


def _export(dataset: PseudoLabeledDataset, path: str) -> None:
    exported = to_coco(dataset.images, dataset.labels, dataset.metainfo['classes'])
    write_json('--export', path, exported, indent=None)
    log(f'exported to {path}')
