"""FeatureDistillationHook: the student's feature maps come to hold what a teacher's do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmcompose.engine.unwrapped import unwrapped
from mmcompose.models.feature_agreement import covering, paired_levels, unexplained_share
from mmcompose.models.weighted_targets.patches import Patches
from mmcompose.registry import HOOKS, TEACHERS, build
from mmcompose.teachers import ShowsFeatureMaps, Teacher
from mmcompose.utils import Positive, UserError, key_prefix, problem


@HOOKS.register_module()
class FeatureDistillationHook(Hook):
    """Add a loss: what the student's neck does not know of a teacher's feature maps.

    The teacher sees the pictures of each batch as they are after augmentation. It may have other
    classes, another architecture and another number of channels; see
    :func:`mmcompose.models.feature_agreement.unexplained_share`. It enters neither the student's
    checkpoint nor its optimizer, and what is tested needs no teacher.

    Args:
        teacher: Config of an MMDetTeacher whose detector has a neck, or of an ONNXTeacher. An ONNX
            graph names no neck: the maps are those that its predictions are made of, see
            :func:`mmcompose.teachers.onnx_maps.feature_map_names`.
        weight: Of the loss. Defaults to 3.
    """

    def __init__(self, teacher: Mapping[str, Any], weight: Positive = 3.0) -> None:
        self.weight = weight
        self._config = dict(teacher)
        self._patches = Patches()
        self._maps: tuple[Tensor, ...] = ()
        self._targets: tuple[Tensor, ...] = ()

    def check(self, config: Config) -> None:
        """See :class:`mmcompose.checks.checks_config.ChecksConfig`.

        Raises:
            UserError: If the student has no neck, or the teacher shows no feature maps or lacks a
                file.
        """
        if config.model.get('neck') is None:
            expected = 'is of a student without a neck, which has no maps to distil into'
            raise UserError(problem('type', 'FeatureDistillationHook', expected))
        teacher = self._teacher()
        with key_prefix('teacher'):
            teacher.check_feature_maps()

    def _teacher(self) -> ShowsFeatureMaps:
        teacher: Teacher = build(TEACHERS, self._config, 'teacher')
        if not isinstance(teacher, ShowsFeatureMaps):
            expected = 'shows no feature maps; take MMDetTeacher or ONNXTeacher'
            raise UserError(problem('teacher.type', type(teacher).__name__, expected))
        return teacher

    def before_train(self, runner: Runner) -> None:
        """Listen to the student's neck; the teacher loads its weights in the first step."""
        model = unwrapped(runner.model)
        self._see = self._teacher().feature_maps
        handle = model.neck.register_forward_hook(self._keep)
        self._patches.add(handle.remove)
        self._patches.replace(model, 'loss', self._loss)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None
    ) -> None:
        """Let the teacher look at the batch."""
        assert data_batch is not None
        pictures = data_batch['inputs']
        maps, whole = self._see(pictures)
        self._targets = covering(maps, _share([each.shape[-2:] for each in pictures], whole))

    def after_train(self, runner: Runner) -> None:
        """Leave the model as it was."""
        self._patches.undo()

    def _keep(self, neck: nn.Module, args: Any, maps: tuple[Tensor, ...]) -> None:
        self._maps = tuple(maps)

    def _loss(self, original: Callable[..., dict[str, Any]], *args: Any, **kwargs: Any) -> Any:
        losses = original(*args, **kwargs)
        # A batch that was resized as a whole is as far padded as before.
        samples = args[1]
        share = _share([each.img_shape[:2] for each in samples], samples[0].batch_input_shape)
        maps = covering(self._maps, share)
        targets = [each.to(maps[0].device, non_blocking=True) for each in self._targets]
        difference = self._difference(paired_levels(maps, targets))
        self._maps = self._targets = ()
        # Other teachers' hooks add to it.
        others = losses.get('loss_features', 0)
        return {**losses, 'loss_features': others + self.weight * difference}

    def _difference(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
        return torch.stack([unexplained_share(*pair) for pair in pairs]).mean()


def _share(sizes: Iterable[Sequence[int]], whole: Sequence[int]) -> list[float]:
    """Return which share of a batch's height and width its largest pictures take, unpadded.

    Args:
        sizes: Height and width of each picture.
        whole: Those of the batch.
    """
    sides = zip(*sizes, strict=True)
    return [min(max(each) / side, 1.0) for each, side in zip(sides, whole, strict=True)]
