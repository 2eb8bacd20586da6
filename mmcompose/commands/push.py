"""A student on a model hub: its weights, config, card and, where exported, its ONNX file."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from mmengine.config import Config

from mmcompose.commands.export_student import config_of, exported_beside
from mmcompose.structures.json_files import read_json
from mmcompose.teachers import read_checkpoint
from mmcompose.teachers.checkpoint import checkpoint_classes
from mmcompose.utils import (
    OWN_FOLDER,
    UserError,
    atomic_write,
    check_own_folder,
    check_writable,
    file_fingerprint,
    first_line,
    log,
    mark_own_folder,
    no_file,
    optional_package,
    problem,
    write_json,
)

# What a hub shows first is called so.
_README, _WEIGHTS, _CONFIG = 'README.md', 'model.pth', 'config.py'
_ONNX, _ABOUT = 'model.onnx', 'model.json'
_UPLOADED = (_README, _WEIGHTS, _CONFIG, 'card.html', _ONNX, _ABOUT)
_MAKER = 'mmcompose push'
# What testing and predicting read of a config. All else is of the training: its data, hooks and
# variables name teachers, the composition and folders of the machine that it ran on.
_TESTED = (
    'custom_imports', 'default_scope', 'model', 'data_preprocessor', 'metainfo', 'test_pipeline',
    'tta_model', 'tta_pipeline', 'val_dataloader', 'val_evaluator', 'val_cfg', 'test_dataloader',
    'test_evaluator', 'test_cfg', 'default_hooks', 'visualizer', 'env_cfg', 'randomness',
    'log_processor', 'log_level',
)  # fmt: skip


def push(
    checkpoint: str,
    to: str,
    out: str | None = None,
    private: bool = False,
) -> str:
    """Write a student's folder for a model hub, and upload it.

    The folder has ``model.pth`` (weights and class names, without the optimizer), ``config.py``
    (what testing and predicting read, without the training's data, hooks and teachers), the card
    that lies beside the checkpoint as ``README.md`` and ``card.html`` and, where the
    student was exported beside it, ``model.onnx`` and ``model.json``.

    Args:
        checkpoint: The student's, with ``card.md`` of ``mmcompose report`` beside it.
        to: The repository, ``owner/name``; made where there is none. The token is that of
            ``hf auth login`` or ``HF_TOKEN``; ``HF_ENDPOINT`` names another hub.
        out: The folder, a new one or an earlier push's. Defaults to ``hub`` beside the checkpoint.
        private: Whether a new repository is private. Defaults to False.

    Returns:
        The address of the upload.

    Raises:
        UserError: If ``to`` names no repository, the checkpoint has no card, the folder holds other
            files, or the hub refuses it.
    """
    hub = optional_package('huggingface_hub', 'hub', 'mmcompose push')
    requests = optional_package('requests', 'hub', 'mmcompose push')
    try:
        hub.utils.validate_repo_id(to)
    except ValueError as error:
        raise UserError(problem('to', to, f'is no repository: {first_line(error)}')) from error
    folder = write_hub_folder(checkpoint, out)
    api = hub.HfApi()
    try:
        api.create_repo(to, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=to,
            folder_path=folder,
            commit_message='Upload a student of mmcompose',
            ignore_patterns=OWN_FOLDER,
        )
    # The hub's answers, a missing token and a lost connection.
    except (OSError, ValueError) as error:
        # The text of a lost connection is a chain of objects.
        is_lost = isinstance(error, (requests.ConnectionError, requests.Timeout))
        why = f'the connection to {api.endpoint} failed' if is_lost else first_line(error)
        raise UserError(problem('to', to, f'was not pushed to: {why}')) from error
    log(f'pushed to {commit.commit_url}')
    return str(commit.commit_url)


def write_hub_folder(checkpoint: str, out: str | None = None) -> Path:
    """Write what :func:`push` uploads; see there.

    Returns:
        The folder.
    """
    path = Path(checkpoint)
    if not path.is_file():
        raise UserError(no_file('checkpoint', checkpoint))
    card = path.parent / 'card.md'
    if not card.is_file():
        expected = 'has no card.md beside it; write one: mmcompose report CONFIG --student …'
        raise UserError(problem('checkpoint', checkpoint, expected))
    folder = Path(out) if out is not None else path.parent / 'hub'
    check_writable('out', folder, folder=True)
    check_own_folder('out', folder, _MAKER)
    for each in sorted(folder.iterdir()) if folder.is_dir() else ():
        if each.name not in (*_UPLOADED, OWN_FOLDER):
            expected = f'holds {each.name}, which would be uploaded, too; name a new folder'
            raise UserError(problem('out', str(folder), expected))
    saved = read_checkpoint(path)
    config = _tested(config_of(saved, checkpoint)).pretty_text
    mark_own_folder('out', folder, _MAKER)
    for name in _UPLOADED:
        # Of another student, from an earlier time.
        (folder / name).unlink(missing_ok=True)
    meta = {'dataset_meta': saved['meta'].get('dataset_meta'), 'cfg': config}
    with atomic_write('out', folder / _WEIGHTS) as temporary:
        torch.save({'state_dict': saved['state_dict'], 'meta': meta}, temporary)
    (folder / _CONFIG).write_text(config, encoding='utf-8')
    shutil.copyfile(card, folder / _README)
    if (page := card.with_suffix('.html')).is_file():
        shutil.copyfile(page, folder / page.name)
    if (exported := exported_beside(path, checkpoint_classes(saved))) is not None:
        shutil.copyfile(exported, folder / _ONNX)
        about = read_json('checkpoint', str(exported.with_suffix('.json')))
        # Whoever downloads both has this file of weights.
        about['checkpoint'] = file_fingerprint(folder / _WEIGHTS)
        write_json('out', folder / _ABOUT, about)
    return folder


def _tested(config: Config) -> Config:
    """Return of a student's config what testing and predicting read."""
    return Config({name: config[name] for name in _TESTED if name in config})
