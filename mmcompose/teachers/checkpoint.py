"""Checkpoints that others made are read as weights and plain values, never as programs."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from numpy._core.multiarray import _reconstruct, scalar

from mmcompose.class_space import stored_names
from mmcompose.utils import UserError, fingerprint, log, no_file, problem, warn

# As in file names of OpenMMLab's and torchvision's zoos: two files never share such a name.
_HASHED = re.compile(r'[-_][0-9a-f]{8,}\.')
_BUFFER_METHODS = ('min', 'max', 'current', 'mean')


def _history_buffer_method(owner: object, name: str) -> Any:
    """Stand in for the ``getattr`` by which a pickled HistoryBuffer names its own methods."""
    if owner is not HistoryBuffer or name not in _BUFFER_METHODS:
        raise pickle.UnpicklingError(f'Unsupported getattr: GLOBAL {owner}.{name}')
    return getattr(HistoryBuffer, name)


# What MMEngine puts into a checkpoint beside tensors: its log's scalars, as numpy arrays.
# Numpy 1 and 2 keep one function in differently named modules; either may have written the file.
_MMENGINE_TYPES: list[Any] = [
    HistoryBuffer,
    np.ndarray,
    np.dtype,
    *((_reconstruct, f'numpy.{core}.multiarray._reconstruct') for core in ('core', '_core')),
    *((scalar, f'numpy.{core}.multiarray.scalar') for core in ('core', '_core')),
    *(type(np.dtype(kind)) for kind in '?bBhHiIlLqQefd'),
    *((_history_buffer_method, f'{module}.getattr') for module in ('builtins', '__builtin__')),
]

_TRUST = '; if you know who made it, set trust_checkpoint=True'


def allow_mmengine_checkpoints() -> None:
    """Let ``torch.load`` read what MMEngine saves, while it still refuses anything else."""
    torch.serialization.add_safe_globals(_MMENGINE_TYPES)


def read_checkpoint(
    path: str | Path, trust: bool | None = False, mmap: bool = True
) -> dict[str, Any]:
    """Read a checkpoint file.

    Args:
        path: A file that ``torch.save`` wrote, or a ``.safetensors`` file.
        trust: Run whatever program the file holds, if it holds one. Only for a file whose
            maker you know. None where no config key stands for that.
        mmap: Whether its tensors stay on disk until they are used. Defaults to True.

    Returns:
        The checkpoint, with its weights under ``state_dict``.

    Raises:
        UserError: If the file is missing, is no checkpoint, or would run a program.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(no_file('checkpoint', path, like=f'*{path.suffix}'))
    if path.suffix == '.safetensors':
        return _read_safetensors(path)
    if trust:
        warn(f'{path} is trusted: it may run any program it holds')
    allow_mmengine_checkpoints()
    try:
        content = torch.load(
            path, map_location='cpu', weights_only=not trust, mmap=mmap and _is_zip(path)
        )
    except pickle.UnpicklingError as error:
        if not _is_torch(path):
            raise UserError(problem('checkpoint', str(path), 'is no checkpoint')) from error
        raise UserError(
            problem(
                'checkpoint',
                str(path),
                f'holds more than weights and was not read ({_wanted(error)})'
                + ('' if trust is None else _TRUST),
            )
        ) from error
    # An old pickle that is cut short fails in as many ways as it has opcodes.
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError) as error:
        raise UserError(problem('checkpoint', str(path), f'is no checkpoint ({error})')) from error
    if not isinstance(content, dict):
        raise UserError(
            problem('checkpoint', str(path), f'holds no dict but a {type(content).__name__}')
        )
    return content if 'state_dict' in content else {'state_dict': content}


def checkpoint_classes(checkpoint: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the class names that MMDet (2.x or 3.x) wrote into a checkpoint, or None."""
    return stored_names(checkpoint.get('meta'))


def local_checkpoint(checkpoint: str) -> str:
    """Return the path of a checkpoint, downloading one that is named by URL.

    ``torch.hub.load_state_dict_from_url`` would also unpickle it, programs and all; this only
    fetches it, into the same cache folder, and leaves the reading to :func:`read_checkpoint`.
    A name without a hash, such as ``best.pth``, is in a folder of its URL there.

    Args:
        checkpoint: A path, or an http(s) URL.

    Raises:
        UserError: If it cannot be downloaded.
    """
    if not checkpoint.startswith(('http://', 'https://')):
        return checkpoint
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    name = Path(urlparse(checkpoint).path).name
    target = (folder if _HASHED.search(name) else folder / fingerprint(checkpoint)) / name
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        log(f'downloading {checkpoint} to {target}')
        try:
            torch.hub.download_url_to_file(checkpoint, str(target), progress=False)
        except (URLError, OSError) as error:
            raise UserError(
                problem(
                    'checkpoint',
                    checkpoint,
                    f'cannot be downloaded ({error}); where there is no '
                    f'network, download it elsewhere and put it at {str(target)!r}',
                )
            ) from error
    return str(target)


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise UserError(
            problem('checkpoint', str(path), "needs safetensors: pip install 'mmcompose[hf]'")
        ) from error
    try:
        with safe_open(str(path), framework='pt') as file:
            meta = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise UserError(
            problem('checkpoint', str(path), f'is no safetensors file ({error})')
        ) from error
    dataset_meta = {'classes': _names(meta['classes'])} if 'classes' in meta else {}
    return {'state_dict': weights, 'meta': {'dataset_meta': dataset_meta}}


def _names(text: str) -> Any:
    """Return the class names in a safetensors file's metadata, which holds texts alone."""
    try:
        return json.loads(text)
    except ValueError:
        return [name.strip() for name in text.split(',')]


def _wanted(error: Exception) -> str:
    """Return what the pickle needs, out of torch's several lines of refusal."""
    named = re.search(r"GLOBAL (\S+)|but got <class '([^']+)'>", str(error))
    if named:
        return f'it needs {named[1] or named[2]}'
    reason = re.search(r'WeightsUnpickler error:\s*(.+)', str(error))
    return reason[1] if reason else (str(error).splitlines() or ['?'])[-1]


def _is_torch(path: Path) -> bool:
    # torch.save's old format is a row of pickles.
    return _is_zip(path) or _begins_with(path, b'\x80')


def _is_zip(path: Path) -> bool:
    # torch.save's old format cannot be memory-mapped.
    return _begins_with(path, b'PK')


def _begins_with(path: Path, magic: bytes) -> bool:
    with open(path, 'rb') as file:
        return file.read(len(magic)) == magic
