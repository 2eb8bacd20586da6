"""Run a tool as a user does, in a process of its own; or sooner, in one forked off, or in this."""

from __future__ import annotations

import copy
import io
import os
import runpy
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import mmdet
from mmdet.visualization import DetLocalVisualizer
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

from tests.engine.toys import student_config
from tests.processes import CONTEXT

ROOT = Path(__file__).parents[2]
MMDET_TOOLS = Path(mmdet.__file__).parent / '.mim' / 'tools'
Done = subprocess.CompletedProcess[str]
# What MMEngine has one of in a process.
MANAGERS = (DefaultScope, MessageHub, MMLogger, Visualizer, DetLocalVisualizer)
SECONDS = 300


def run(script: Path | str, *arguments: Any, cwd: Path) -> Done:
    """Run a script in a process of its own, which imports all that it needs: ten seconds."""
    environment = {**os.environ, 'PYTHONPATH': f'{cwd}:{ROOT}', 'OMP_NUM_THREADS': '1'}
    command = [sys.executable, '-W', 'ignore', str(ROOT / script), *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=SECONDS
    )


def run_forked(script: Path | str, *arguments: Any, cwd: Path) -> Done:
    """Run a script in a process forked off this one, which has imported all that it needs."""
    command = [str(ROOT / script), *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        out, error = Path(folder, 'out'), Path(folder, 'error')
        process = CONTEXT.Process(target=_as_script, args=(command, cwd, out, error))
        process.start()
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(command)
        return Done(command, process.exitcode, out.read_text(), error.read_text())


def _as_script(command: list[str], cwd: Path, out: Path, error: Path) -> None:
    become_command(cwd, {}, out, error)
    sys.argv = command
    runpy.run_path(command[0], run_name='__main__')


def become_command(
    folder: Path, environment: Mapping[str, str], out: Path | str, error: Path
) -> None:
    """Make a process that was just forked off what a command is that starts in a folder.

    Args:
        folder: Its working directory, from which it imports.
        environment: Variables beside those of this process.
        out: The file to which it prints.
        error: The file of its error stream.
    """
    os.setsid()
    for number, path in ((0, os.devnull), (1, out), (2, error)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
    sys.stdout, sys.stderr = (open(number, 'w', buffering=1) for number in (1, 2))
    os.chdir(folder)
    os.environ.update(environment)
    sys.path[:0] = [str(folder)]
    warnings.simplefilter('ignore')
    for manager in MANAGERS:
        manager._instance_dict.clear()


def run_here(script: Path | str, *arguments: Any, cwd: Path) -> Done:
    """Run a script in this process, as :func:`run` does in another; an exception goes through."""
    command = [str(ROOT / script), *map(str, arguments)]
    before, modules = Path.cwd(), set(sys.modules)
    code: Any = 0
    with ExitStack() as stack:
        out = stack.enter_context(redirect_stdout(io.StringIO()))
        error = stack.enter_context(redirect_stderr(io.StringIO()))
        stack.enter_context(mock.patch.dict(os.environ))
        stack.enter_context(mock.patch.object(sys, 'argv', command))
        stack.enter_context(mock.patch.object(sys, 'path', [str(cwd), *sys.path]))
        for manager in MANAGERS:
            stack.enter_context(mock.patch.dict(manager._instance_dict, clear=True))
        os.chdir(cwd)
        try:
            runpy.run_path(command[0], run_name='__main__')
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            os.chdir(before)
            # What stands in the user's folder: another test has another of the same name.
            for name in set(sys.modules) - modules:
                if str(getattr(sys.modules[name], '__file__', '')).startswith(str(cwd)):
                    del sys.modules[name]
    return Done(command, code, out.getvalue(), error.getvalue())


def fails(script: Path | str, *arguments: Any, cwd: Path, how: Any = run_here) -> Done:
    """Run a script that must fail, and must leave nothing behind."""
    before = files_in(cwd)
    done: Done = how(script, *arguments, cwd=cwd)
    assert done.returncode != 0
    assert files_in(cwd) == before, 'something was written'
    return done


def files_in(folder: Path) -> set[Path]:
    """Return every file and folder below one, apart from what Python compiles."""
    return {path for path in folder.rglob('*') if '__pycache__' not in path.parts}


def write_teacher(folder: Path) -> None:
    """Put the toy detector into a module that can be deleted."""
    (folder / 'toy_teacher.py').write_text((ROOT / 'tests' / 'toys.py').read_text())


def write_config(folder: Path, pool: Path, truth: str, **changes: Any) -> Path:
    """Write a config of the toy student and both toy teachers, ``compose.py``."""
    config = student_config(pool, truth, folder)
    for teacher in config.composition.teachers.values():
        teacher.function = 'toy_teacher.see'
    # As in MMDetection's default_runtime.py; browse_dataset and test.py --show-dir ask for them.
    config.visualizer = {
        'type': 'DetLocalVisualizer',
        'vis_backends': [{'type': 'LocalVisBackend'}],
        'name': 'visualizer',
    }
    config.default_hooks.visualization = {'type': 'DetVisualizationHook'}
    config.merge_from_dict(changes)
    return write_plain(folder / 'compose.py', config)


def write_plain(path: Path, config: Config) -> Path:
    """Write a config, key by key: a dump lists keys by the alphabet, and so teachers' classes."""
    path.write_text('\n'.join(f'{key} = {value!r}' for key, value in config.to_dict().items()))
    return path


def changed(config: Config, key: str, value: Any) -> Config:
    """Return a copy of a config with another value at a key."""
    config = copy.deepcopy(config)
    part: Any = config
    *path, last = (int(name) if name.isdigit() else name for name in key.split('.'))
    for name in path:
        part = part[name]
    part[last] = value
    return config
