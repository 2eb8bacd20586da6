"""CompositionRunner: resolve, and then MMEngine's Runner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from torch import nn

from mmcompose.engine.checked import resolve_checked
from mmcompose.engine.last_checkpoint import last_checkpoint
from mmcompose.engine.work_dir_rollback import WorkDirRollback
from mmcompose.registry import RUNNERS
from mmcompose.teachers import let_decode
from mmcompose.utils import UserError


@RUNNERS.register_module()
class CompositionRunner(Runner):
    """MMEngine's Runner, built from a config with a composition.

    Named by ``runner_type`` in a config, it is built by MMDetection's own tools/train.py.
    """

    # None from the first step on: then there is something to look into, and to resume.
    _rollback: WorkDirRollback | None = None
    _load_from: str | None

    @classmethod
    def from_cfg(cls, cfg: Config) -> Runner:
        """Build a Runner of the resolved config; see :func:`mmcompose.engine.resolve`.

        Raises:
            UserError: With a line for each mistake, before anything is written.
        """
        resolved = resolve_checked(cfg).config
        rollback = WorkDirRollback(resolved.work_dir, resolved.filename)
        runner: CompositionRunner = super().from_cfg(resolved)
        runner._rollback = rollback
        return runner

    def build_model(self, model: nn.Module | dict[str, Any]) -> nn.Module:
        """Build the student; see :meth:`mmengine.runner.Runner.build_model`."""
        built: nn.Module = super().build_model(model)
        let_decode(built)
        return built

    def train(self) -> nn.Module:
        """Train; see :meth:`mmengine.runner.Runner.train`.

        Raises:
            UserError: For a mistake that only labeling finds, such as a picture that cannot be
                decoded. It leaves the work directory as it was; the teachers' predictions on other
                pictures stay in the store, for the next run.
        """
        try:
            model: nn.Module = super().train()
            return model
        except UserError:
            if self._rollback is not None and is_main_process():
                self._rollback.undo(self.log_dir, Path(self.work_dir, f'{self.timestamp}.py'))
            raise

    def load_or_resume(self) -> None:
        """Load or resume; see :meth:`mmengine.runner.Runner.load_or_resume`.

        A last checkpoint that was cut short is passed over for the one before.
        """
        if self._resume and self._load_from is None and not self._has_loaded:
            self._load_from = last_checkpoint(self.work_dir)
        super().load_or_resume()

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call the hooks; see :meth:`mmengine.runner.Runner.call_hook`."""
        if fn_name == 'after_train_iter':
            self._rollback = None
        super().call_hook(fn_name, **kwargs)
