"""TeacherEvalHook: the averaged teacher of a semi-supervised detector predicts as in a test."""

from __future__ import annotations

from typing import Any

from mmdet.models.detectors import SemiBaseDetector
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmcompose.engine.unwrapped import unwrapped
from mmcompose.registry import HOOKS, class_of, type_name
from mmcompose.utils import UserError, problem


@HOOKS.register_module()
class TeacherEvalHook(Hook):
    """Keep the teacher of MMDet's ``SemiBaseDetector`` in evaluation mode while it trains.

    Runner puts the whole model into training mode, and SoftTeacher, unlike its base, does not
    take its teacher out of it: where BatchNorm learns, the teacher would normalise by each batch
    and overwrite the statistics that MeanTeacherHook averages.
    """

    def check(self, config: Config) -> None:
        """See :class:`mmcompose.checks.checks_config.ChecksConfig`.

        Raises:
            UserError: If the model has no teacher.
        """
        cls = class_of(config.model, MODELS)
        if isinstance(cls, type) and not issubclass(cls, SemiBaseDetector):
            expected = f'is of a {type_name(config.model)}, which has no teacher; leave it out'
            raise UserError(problem('type', 'TeacherEvalHook', expected))

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None
    ) -> None:
        """Put the teacher into evaluation mode."""
        unwrapped(runner.model).teacher.eval()
