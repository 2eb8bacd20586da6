"""Look at the keys that stand at a config's root: typos that nothing would ever read."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmcompose.composition import Composition
from mmcompose.utils import Problem, problem

# What MMEngine's Runner, MMDetection's tools and mmcompose read.
_READ = (
    *(name for name in inspect.signature(Runner.__init__).parameters if name != 'self'),
    'composition',
    'runner_type',
    'allow',
    'card',
    'custom_imports',
    'auto_scale_lr',
    'tta_model',
    'tta_pipeline',
)
# What MMDetection's own files keep for those that inherit them.
_INHERITED = (
    'train_pipeline',
    'val_pipeline',
    'test_pipeline',
    'data_root',
    'dataset_type',
    'backend_args',
    'max_epochs',
    'img_scale',
    'img_scales',
)
_INSIDE = tuple(inspect.signature(Composition).parameters)
# How alike two names are that differ by a typo, from 0 to 1; `train_` and `test_pipeline` are not.
_TYPO = 0.88


def top_level_problems(config: Config) -> list[Problem]:
    """Return a problem for each key at the root that is not read, and is alike one that is.

    A key that the config's own file uses again is a variable of the user's.
    """
    used = _used_names(config.filename)
    unread = [name for name in config if name not in (*_READ, *_INHERITED, *used)]
    own = _own_names(config.filename)
    known = list(_READ)
    if own is not None:
        unread = [name for name in unread if name in own]
        # What a base sets may be read by nobody but by the files that inherit it.
        known += [*_INHERITED, *(name for name in config if name not in unread)]
    misplaced = {name: config[name] for name in unread if name in _INSIDE}
    return list(_misplaced(misplaced)) + list(_typos('config', unread, known))


def option_problems(config: Config, options: Mapping[str, Any]) -> list[Problem]:
    """Return the same of options that a command line adds, such as ``train_dataloder.batch_size``.

    Args:
        config: As its file has it.
        options: Values by key, with dots.
    """
    known = [*_READ, *_INHERITED, *config]
    unread = {name.partition('.')[0]: value for name, value in options.items()}
    unread = {name: value for name, value in unread.items() if name not in known}
    misplaced = {name: value for name, value in unread.items() if name in _INSIDE}
    return list(_misplaced(misplaced)) + list(_typos('--cfg-options', unread, known))


def _misplaced(given: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in given.items():
        expected = 'stands outside composition, where nothing reads it; put it inside'
        yield problem(name, value, expected)


def _typos(key: str, unread: Iterable[str], known: list[str]) -> Iterator[Problem]:
    for name in unread:
        if name in _INSIDE:
            continue
        near = difflib.get_close_matches(name, set(known) - {name}, n=1, cutoff=_TYPO)
        if near:
            expected = 'is no key that anything reads'
            yield problem(key, name, expected, near).doubtful('unknown-key')


def _tree(filename: str | None) -> ast.Module | None:
    path = Path(filename or '')
    if path.suffix != '.py' or not path.is_file():
        return None
    return ast.parse(path.read_text(encoding='utf-8'))


def _own_names(filename: str | None) -> set[str] | None:
    """Return the names that a config's own file sets; None where there is no such file."""
    tree = _tree(filename)
    if tree is None:
        return None
    return {
        target.id
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.For))
        for target in ast.walk(node)
        if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store)
    }


def _used_names(filename: str | None) -> set[str]:
    tree = _tree(filename)
    if tree is None:
        return set()
    loaded = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    names = {node.id for node in loaded if isinstance(node.ctx, ast.Load)}
    # `_base_.train_pipeline`
    return names | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
