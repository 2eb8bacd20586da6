"""Tests of the house: no room imports from one below it, and the pure ones import no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / 'mmcompose'
# From the top down: a room imports from those before it.
ROOMS = (
    'prerequisites', 'version', 'interruption', 'known_warnings', 'utils', 'registry', 'structures',
    'class_space', 'labeling', 'store', 'teachers', 'models', 'composition', 'datasets',
    'evaluation', 'reporting', 'checks', 'engine', 'commands', 'cli', '__main__',
)  # fmt: skip
PURE = ('utils', 'registry', 'structures', 'class_space', 'labeling', 'store')


def _modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    found = {}
    for path in PACKAGE.rglob('*.py'):
        parts = ('mmcompose', *path.relative_to(PACKAGE).with_suffix('').parts)
        if '.mim' not in parts:
            found['.'.join(part for part in parts if part != '__init__')] = path
    return found


MODULES = _modules()


def _imports(module: str) -> Iterator[str]:
    """Yield the modules of mmcompose that a module imports, wherever it does."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{module} imports by a relative name'
            if node.module in MODULES:
                names = [f'{node.module}.{alias.name}' for alias in node.names]
                yield from (name if name in MODULES else str(node.module) for name in names)


def _room(module: str) -> str:
    return module.split('.')[1]


INNER = sorted(set(MODULES) - {'mmcompose'})


def test_every_room_is_known() -> None:
    assert {_room(module) for module in INNER} <= set(ROOMS)
    assert set(PURE) <= {_room(module) for module in INNER}


@pytest.mark.parametrize('room', ROOMS)
def test_a_room_imports_only_from_rooms_above_it(room: str) -> None:
    allowed = ROOMS[: ROOMS.index(room) + 1]
    for module in (module for module in INNER if _room(module) == room):
        for imported in _imports(module):
            assert _room(imported) in allowed, f'{module} imports {imported}'


def test_imports_run_in_no_circle() -> None:
    graph = {module: set(_imports(module)) - {module} for module in INNER}
    TopologicalSorter(graph).prepare()


def test_pure_rooms_import_neither_torch_nor_mmcv() -> None:
    pure = [module for module in INNER if _room(module) in PURE]
    program = (
        'import importlib, sys\n'
        f'for name in {pure!r}: importlib.import_module(name)\n'
        'from mmcompose.registry import LABEL_TRANSFORMS, find\n'
        "find(LABEL_TRANSFORMS, 'mmcompose.ScoreBands', 'type')\n"
        "print([name for name in ('torch', 'mmcv', 'mmdet') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, cwd=PACKAGE.parent
    )
    assert run.stdout.strip() == '[]', run.stderr


def test_a_pure_room_is_imported_when_a_name_of_it_is_looked_up_and_no_torch_with_it() -> None:
    program = (
        'import sys\n'
        'from mmcompose.registry import LABEL_TRANSFORMS, find\n'
        "print(find(LABEL_TRANSFORMS, 'mmcompose.ScoreBands', 'type').__name__,"
        " 'torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, cwd=PACKAGE.parent
    )
    assert run.stdout.strip() == 'ScoreBands False', run.stderr


def test_files_are_short() -> None:
    lengths = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding='utf-8').splitlines())
        for path in PACKAGE.rglob('*.py')
    }
    assert not {name: length for name, length in lengths.items() if length > 350}
    assert median(lengths.values()) <= 95
