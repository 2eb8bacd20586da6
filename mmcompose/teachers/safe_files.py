"""Files of others, read by MMEngine, go through readers that run nothing.

MMEngine unpickles checkpoints and ``.pkl`` files, and builds whatever a YAML file's tags name.
"""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import Any

import fsspec
import mmengine.runner.checkpoint as mmengine_checkpoint
import numpy as np
import torch
import yaml
from mmdet.datasets import OpenImagesChallengeDataset
from mmengine.dist import barrier, get_rank
from mmengine.fileio import register_handler
from mmengine.fileio.handlers import PickleHandler, YamlHandler
from mmengine.runner import CheckpointLoader

from mmcompose.teachers.checkpoint import local_checkpoint, read_checkpoint
from mmcompose.teachers.plain_pickles import load_plain_pickle
from mmcompose.utils import UserError, fault, first_line, problem

# Of object stores; MMEngine unpickles what is there.
_OBJECT_STORES = (r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'pavi://')


class PlainPickleHandler(PickleHandler):  # type: ignore[misc]
    """MMEngine's handler of pickles, but that it reads data alone."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        """Read a file.

        Raises:
            UserError: If it holds more than plain values and tensors, or is damaged.
        """
        del kwargs
        # MMEngine mostly hands over a file's bytes without its name.
        named = getattr(file, 'name', 'a .pkl file')
        try:
            return load_plain_pickle(file)
        except pickle.UnpicklingError as error:
            expected = f'is a pickle that may run any program and was not read ({error})'
            raise UserError(fault('', f'{named}: {expected}; give it as json')) from error
        # What pickle's documentation names beside it, of a file that is cut off or none at all.
        except (EOFError, AttributeError, ImportError, IndexError, TypeError, ValueError) as error:
            expected = f'is a damaged pickle ({first_line(error)})'
            raise UserError(fault('', f'{named}: {expected}')) from error


class _PlainLoader(getattr(yaml, 'CSafeLoader', yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that reads tuples, which MMEngine writes into a config's dump.

    Compiled where PyYAML was built with libyaml: `mmdet::` reads a hundred files to find a name.
    """


_PlainLoader.add_constructor(
    'tag:yaml.org,2002:python/tuple', yaml.constructor.FullConstructor.construct_python_tuple
)


class SafeYamlHandler(YamlHandler):  # type: ignore[misc]
    """MMEngine's handler of YAML files, but that tags name plain values alone."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        """Read a file.

        Raises:
            yaml.YAMLError: If it has a tag that names a Python object.
        """
        return super().load_from_fileobj(file, **{**kwargs, 'Loader': _PlainLoader})


def read_files_safely() -> None:
    """Make MMEngine read checkpoints, pickles and YAML files by what runs nothing.

    So ``load_from`` and ``resume``, ``init_cfg`` of a model's parts, and annotation files of any
    dataset are read in one way, under any version of torch.
    """
    register_handler(['pkl', 'pickle'])(PlainPickleHandler)
    register_handler(['yaml', 'yml'])(SafeYamlHandler)
    CheckpointLoader.register_scheme(prefixes='', loader=_from_file, force=True)
    CheckpointLoader.register_scheme(['http://', 'https://'], loader=_from_url, force=True)
    CheckpointLoader.register_scheme(_OBJECT_STORES, loader=_from_object_store, force=True)
    OpenImagesChallengeDataset._get_relation_matrix = _relation_matrix
    # Loaders of zoos look a name up, and load its URL by this name.
    mmengine_checkpoint.load_from_http = _from_url


def _from_file(filename: str, map_location: Any = None) -> dict[str, Any]:
    # Not mapped: an optimizer keeps the tensors of a checkpoint that a later one overwrites.
    content = read_checkpoint(filename, trust=None, mmap=False)
    if map_location in (None, 'cpu', torch.device('cpu')):
        return content
    moved: dict[str, Any] = _moved(content, map_location)
    return moved


def _from_object_store(filename: str, map_location: Any = None, **options: Any) -> dict[str, Any]:
    del options
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder, Path(filename).name)
        try:
            with fsspec.open(filename, 'rb') as file:
                local.write_bytes(file.read())
        # What an object store's library raises has no base class; it may not be installed.
        except (OSError, ValueError, ImportError) as error:
            raise UserError(problem('checkpoint', filename, f'cannot be read ({error})')) from error
        return _from_file(str(local), map_location)


def _relation_matrix(dataset: Any, hierarchy_file: str) -> Any:
    """Return OpenImages' matrix of classes below each other, from an array of plain numbers."""
    del dataset
    try:
        return np.load(hierarchy_file, allow_pickle=False)[1:, 1:]
    except (OSError, ValueError) as error:
        expected = f'is no array of numbers ({error})'
        raise UserError(problem('hierarchy_file', hierarchy_file, expected)) from error


def _from_url(
    filename: str, map_location: Any = None, model_dir: str | None = None, progress: bool = False
) -> dict[str, Any]:
    del model_dir, progress
    if get_rank() == 0:
        local_checkpoint(filename)
    barrier()
    return _from_file(local_checkpoint(filename), map_location)


def _moved(value: Any, map_location: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(map_location) if isinstance(map_location, (str, torch.device)) else value
    if isinstance(value, dict):
        return type(value)((key, _moved(item, map_location)) for key, item in value.items())
    return value
