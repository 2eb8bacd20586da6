"""Run a case of benchmarks/border.py, its tools in this process: torch is imported once."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from mmengine.logging import MMLogger

import mmcompose.teachers.mmdet.model as mmdet_model

# Names under which cases of an earlier version import.
_MOVED = {'mmcompose.teachers.mmdet_model': mmdet_model}
_run = subprocess.run


def run_case(folder: Path) -> str:
    """Run a folder's ``case.py``, and return what it prints."""
    sys.modules.update(_MOVED)
    before, out = set(sys.modules), io.StringIO()
    with (
        patch.object(subprocess, 'run', _run_tool),
        patch.object(sys, 'path', list(sys.path)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        try:
            runpy.run_path(str(folder / 'case.py'))
        # Whatever a case ends in is what is looked for.
        except Exception:
            traceback.print_exc(file=out)
    _forget_modules_of(folder.parent, before)
    return out.getvalue()


def _run_tool(command: Any, cwd: Any = None, **options: Any) -> Any:
    """Stand in for ``subprocess.run`` where a case starts one of mmcompose's tools."""
    if not (isinstance(command, list) and len(command) > 3 and '/tools/' in str(command[3])):
        return _run(command, cwd=cwd, **options)
    before, out = set(sys.modules), io.StringIO()
    with (
        contextlib.chdir(cwd),
        patch.object(sys, 'argv', [str(each) for each in command[3:]]),
        patch.object(sys, 'path', [str(cwd), *sys.path]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
        _logged_to(out),
    ):
        code = _exit_code(str(command[3]), out)
    _forget_modules_of(Path(cwd), before)
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr='')


def _exit_code(tool: str, out: io.StringIO) -> int:
    try:
        runpy.run_path(tool, run_name='__main__')
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:
        traceback.print_exc(file=out)
        return 1
    return 0


@contextlib.contextmanager
def _logged_to(out: io.StringIO) -> Iterator[None]:
    # MMEngine's own handler keeps the stream that it was made with.
    handler = logging.StreamHandler(out)
    handler.setLevel(logging.INFO)
    handler.setFormatter(logging.Formatter('%(name)s - %(levelname)s - %(message)s'))
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _forget_modules_of(folder: Path, before: set[str]) -> None:
    """Forget modules that stand in a folder: another case has others of the same names."""
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], '__file__', None)
        if file and os.path.realpath(file).startswith(os.path.realpath(folder)):
            del sys.modules[name]
