"""CompositionRunner: resolve, and then MMEngine's Runner."""

from __future__ import annotations

from mmengine.config import Config
from mmengine.runner import Runner

from mmcompose.engine.inputs import check_inputs
from mmcompose.engine.resolve import resolve
from mmcompose.registry import RUNNERS


@RUNNERS.register_module()
class CompositionRunner(Runner):
    """MMEngine's Runner, built from a config with a composition.

    Named by ``runner_type`` in a config, it is built by MMDetection's own tools/train.py.
    """

    @classmethod
    def from_cfg(cls, cfg: Config) -> Runner:
        """Build a Runner of the resolved config; see :func:`mmcompose.engine.resolve`.

        Raises:
            UserError: With a line for each mistake, before anything is written.
        """
        resolved = resolve(cfg)
        check_inputs(resolved)
        runner: Runner = super().from_cfg(resolved)
        return runner
