"""Make a config's pseudo-labels without training."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dist import init_dist, is_main_process
from mmengine.registry import DefaultScope

from mmcompose.checks.check_files import check_launcher
from mmcompose.commands.export_labels import export_readable
from mmcompose.composition import RayWorkers
from mmcompose.datasets import join_pools, pseudo_labeled
from mmcompose.engine.checked import resolve_checked
from mmcompose.engine.hooks.label_summary import summary
from mmcompose.utils import UserError, check_writable, fault, first_line, log, problem

# What torch reads, and how it is named where a launcher is not torch's.
_GIVEN_AS = {
    'slurm': {'RANK': 'SLURM_PROCID', 'WORLD_SIZE': 'SLURM_NTASKS'},
    'mpi': {'RANK': 'OMPI_COMM_WORLD_RANK', 'WORLD_SIZE': 'OMPI_COMM_WORLD_SIZE'},
}
# That of torch itself.
_PORT = 29500


def label(
    config: Config,
    launcher: str = 'none',
    export: str | None = None,
    address: str | None = None,
) -> None:
    """Make the pseudo-labels that a training run of this config would make.

    Args:
        config: A config with a composition.
        launcher: 'none', what started this process and its peers, or 'ray', which starts them.
        export: A COCO json that the labels are also written to. Defaults to none; see
            :func:`mmcompose.commands.export_labels.export_labels` for other formats.
        address: Of a Ray cluster. Defaults to the one that this machine belongs to, else a local
            one.

    Raises:
        UserError: If the training set holds no pseudo-labeled dataset, ``launcher`` did not start
            this process, or there is an ``address`` and it is not 'ray'.
    """
    if export is not None:
        # Before hours of work.
        check_writable('export', export)
    check_launcher(launcher)
    if address is not None and launcher != 'ray':
        expected = f"is of a Ray cluster, but the launcher is {launcher!r}, not 'ray'"
        raise UserError(problem('address', address, expected))
    if config.get('train_dataloader') is None:
        raise UserError(fault('train_dataloader', 'is missing; there is nothing to label'))
    _join(launcher, config.get('env_cfg', {}).get('dist_cfg') or {'backend': 'nccl'})
    resolved = resolve_checked(config, ['train_dataloader'], is_run=False).config
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmdet')):
        train = DATASETS.build(dict(resolved.train_dataloader.dataset, lazy_init=True))
    found = list(pseudo_labeled(train))
    if not found:
        raise UserError(
            fault('train_dataloader.dataset', 'holds no mmcompose.PseudoLabeledDataset')
        )
    exported = list({each.images.fingerprint: each for each in found}.values()) if export else []
    # Before hours of work.
    images = join_pools([each.images for each in exported]) if exported else None
    for dataset in found:
        if launcher == 'ray':
            dataset.composition.make_workers = partial(RayWorkers, address)
        dataset.full_init()
        if is_main_process():
            log(summary(dataset))
    if export is not None and images is not None and is_main_process():
        tables = [each.labels for each in exported]
        export_readable(found[0].composition, images, tables, 'coco', export)


def _join(launcher: str, dist_cfg: Mapping[str, Any]) -> None:
    """Join the processes that a launcher started beside this one."""
    if launcher in ('none', 'ray'):
        return
    if torch.cuda.is_available():
        init_dist(launcher, **dist_cfg)
        return
    # MMEngine would need a GPU, and the configs' nccl, too: this is what it does beside that.
    for name, given in _GIVEN_AS.get(launcher, {}).items():
        os.environ[name] = os.environ[given]
    os.environ.setdefault('MASTER_PORT', str(dist_cfg.get('port') or _PORT))
    if 'MASTER_ADDR' not in os.environ:
        os.environ['MASTER_ADDR'] = _first_host(os.environ['SLURM_NODELIST'])
    torch.distributed.init_process_group('gloo')


def _first_host(hosts: str) -> str:
    """Return the first of the machines that slurm names in short, as node[3-17]."""
    command = ['scontrol', 'show', 'hostnames', hosts]
    try:
        answer = subprocess.run(command, capture_output=True, check=True, text=True)
        return answer.stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        expected = f'names no machine of process 0; set MASTER_ADDR: {first_line(error)}'
        raise UserError(problem('--launcher', 'slurm', expected)) from error
