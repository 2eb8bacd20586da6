"""TeacherEvalHook: the averaged teacher of a semi-supervised detector predicts as in a test."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmcompose.engine.unwrapped import unwrapped
from mmcompose.registry import HOOKS


@HOOKS.register_module()
class TeacherEvalHook(Hook):
    """Keep the teacher of MMDet's ``SemiBaseDetector`` in evaluation mode while it trains.

    Runner puts the whole model into training mode, and SoftTeacher, unlike its base, does not
    take its teacher out of it: where BatchNorm learns, the teacher would normalise by each batch
    and overwrite the statistics that MeanTeacherHook averages.
    """

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None
    ) -> None:
        """Put the teacher into evaluation mode."""
        unwrapped(runner.model).teacher.eval()
