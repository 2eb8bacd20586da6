"""A model of the zoo by its bare name, through the metafiles that packages install."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from mmcompose.prerequisites import package_folder
from mmcompose.utils import UserError, fault, problem

_NAME = re.compile(r'^\s*-?\s*Name:\s*(\S+)\s*$', re.MULTILINE)


@dataclass(frozen=True)
class ZooModel:
    """A trained model of a package's zoo.

    Args:
        config: The installed config's path.
        checkpoint: URL of its weights.
    """

    config: str
    checkpoint: str


def zoo_model(name: str) -> ZooModel:
    """Find a model by the name or an alias that its metafile gives it.

    Args:
        name: e.g. ``rtmdet_tiny_8xb32-300e_coco``, or ``package::name`` for another package's
            zoo than MMDet's.

    Raises:
        UserError: If there is none of that name, or no weights of it are published.
    """
    package, _, bare = name.rpartition('::')
    folder = package_folder(package or 'mmdet')
    if folder is None or not (folder / '.mim' / 'model-index.yml').is_file():
        raise UserError(problem('model', name, f'is of {package}, which has no zoo here'))
    root, known = folder / '.mim', []
    for text in _metafiles(root):
        if bare in text:
            for entry in yaml.safe_load(text).get('Models', []):
                if bare == entry['Name'] or bare in entry.get('Alias', ()):
                    return _of_entry(name, root, entry)
        known += _NAME.findall(text)
    raise UserError(problem('model', name, f'is not in the zoo of {package or "mmdet"}', known))


def config_and_checkpoint(
    config: str | None, checkpoint: str | None, model: str | None
) -> tuple[str, str]:
    """Return the config and the checkpoint that a teacher's arguments name.

    Raises:
        UserError: If one of them is missing, or is named twice.
    """
    if model is not None:
        if config is not None:
            raise UserError(fault('model', 'already names a config; leave out config, or model'))
        found = zoo_model(model)
        return found.config, checkpoint or found.checkpoint
    if config is None or checkpoint is None:
        given = {'config': config, 'checkpoint': checkpoint}
        raise UserError(
            *(fault(name, 'is missing') for name, value in given.items() if value is None)
        )
    return config, checkpoint


def _of_entry(name: str, root: Path, entry: dict[str, str]) -> ZooModel:
    if 'Weights' not in entry:
        raise UserError(problem('model', name, 'is in the zoo, but its weights are not'))
    return ZooModel(str(root / entry['Config']), entry['Weights'])


def _metafiles(root: Path) -> Iterator[str]:
    index = yaml.safe_load((root / 'model-index.yml').read_text(encoding='utf-8'))
    for name in index['Import']:
        yield (root / name).read_text(encoding='utf-8')
