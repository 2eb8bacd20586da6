"""CompositionRunner: resolve, and then MMEngine's Runner."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import BaseLoop, Runner
from torch import nn

from mmcompose.engine.inputs import check_inputs
from mmcompose.engine.resolve import resolve
from mmcompose.registry import RUNNERS
from mmcompose.utils import UserError


@RUNNERS.register_module()
class CompositionRunner(Runner):
    """MMEngine's Runner, built from a config with a composition.

    Named by ``runner_type`` in a config, it is built by MMDetection's own tools/train.py.
    """

    # What the constructor made: the dumped config, the work directory, the folders around it.
    _made: tuple[Path, ...] = ()

    @classmethod
    def from_cfg(cls, cfg: Config) -> Runner:
        """Build a Runner of the resolved config; see :func:`mmcompose.engine.resolve`.

        Raises:
            UserError: With a line for each mistake, before anything is written.
        """
        resolved = resolve(cfg)
        check_inputs(resolved)
        work_dir = Path(resolved.work_dir).absolute()
        new = [path for path in (work_dir, *work_dir.parents) if not path.exists()]
        if resolved.filename and not (dumped := work_dir / Path(resolved.filename).name).exists():
            new.insert(0, dumped)
        runner: CompositionRunner = super().from_cfg(resolved)
        runner._made = tuple(new)
        return runner

    def train(self) -> nn.Module:
        """Train; see :meth:`mmengine.runner.Runner.train`.

        Raises:
            UserError: For a mistake that only labelling finds, such as a picture that cannot be
                decoded. It leaves no new work directory behind; what the teachers said of other
                pictures stays in the store, for the next run.
        """
        try:
            return super().train()
        except UserError:
            # Not by `self.iter`, which would build the loop, and so label, once more.
            started = isinstance(self._train_loop, BaseLoop) and self._train_loop.iter > 0
            if not started and is_main_process():
                self._take_back()
            raise

    def _take_back(self) -> None:
        """Remove what the constructor made, but nothing that others put beside it."""
        shutil.rmtree(self.log_dir, ignore_errors=True)
        # The dumped config of a Runner whose config is of no file.
        Path(self.work_dir, f'{self.timestamp}.py').unlink(missing_ok=True)
        for path in self._made:
            if not path.is_dir():
                path.unlink(missing_ok=True)
            else:
                # Not where something lies in it: another's, or another process's.
                with contextlib.suppress(OSError):
                    path.rmdir()
