"""ClassRowsHook: a student that starts from a detector of other classes keeps what they share."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

import torch
from mmdet.models.detectors import SemiBaseDetector
from mmdet.registry import MODELS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmcompose.class_space import ClassSpace
from mmcompose.composition import preserve_process_state
from mmcompose.engine.num_classes import set_num_classes
from mmcompose.engine.unwrapped import unwrapped
from mmcompose.registry import HOOKS
from mmcompose.teachers import checkpoint_classes, named_classes
from mmcompose.utils import UserError, fault, log, problem

T = TypeVar('T')

CHECKPOINT = 'checkpoint'
_YOLO_BOX = 5


@HOOKS.register_module()
class ClassRowsHook(Hook):
    """Copy the rows of classification layers by class name when a checkpoint is loaded.

    MMEngine drops a layer whose shape differs, and takes one of the same shape as it is, though
    its classes may stand in another order.

    Args:
        classes: The student's classes; ``resolve`` writes them here.
        aliases: The composition's; likewise.
        checkpoint_classes: Class names of the checkpoint, or a data set's name that MMDet
            knows. Defaults to those that the checkpoint names.
        keep: False starts every classification layer afresh. Defaults to True.
    """

    # Before EMAHook (49), which takes its own copy of what is loaded.
    priority = 'VERY_HIGH'

    def __init__(
        self,
        classes: Sequence[str],
        aliases: Sequence[Any] = (),
        checkpoint_classes: str | Sequence[str] | None = None,
        keep: bool = True,
    ) -> None:
        self.classes = tuple(classes)
        self.aliases = aliases
        self.checkpoint_classes = checkpoint_classes
        self.keep = keep
        # The classes of loaded weights, until the student has learned its own.
        self._began_with: tuple[str, ...] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Rewrite the checkpoint's classification layers for the student's classes.

        Raises:
            UserError: If a run resumes from a checkpoint of other classes, the checkpoint does not
                name its classes, or its weights do not fit.
        """
        weights = checkpoint.get('state_dict', checkpoint)
        old = checkpoint_classes(checkpoint)
        if runner._resume and old is not None:
            self._check_resumed(old)
            return
        if self.checkpoint_classes is not None:
            old = named_classes(self.checkpoint_classes)
        if old == self.classes:
            return
        own = unwrapped(runner.model).state_dict()
        layers = class_layers(runner.cfg.model, own, len(self.classes))
        if _is_loaded_twice(runner.model, weights):
            own, layers = _of_student(own), _of_student(layers)
        present = [name for name in layers if name in weights]
        if not present and any(f'module.{name}' in weights for name in layers):
            raise UserError(
                fault(
                    'load_from',
                    'its weights were saved from inside DistributedDataParallel; '
                    "take 'module.' off their names, or their classes cannot be matched",
                )
            )
        if not present:
            return
        if not self.keep:
            for name in present:
                del weights[name]
            log(f'{len(present)} class-dependent weights start afresh (ClassRowsHook.keep=False)')
            return
        if old is None:
            raise UserError(
                fault(
                    'load_from',
                    'the checkpoint does not name its classes; set them by '
                    "custom_hooks=[dict(type='mmcompose.ClassRowsHook', checkpoint_classes=…)]",
                )
            )
        space = ClassSpace({CHECKPOINT: old}, self.classes, self.aliases, on_unmapped='drop')
        sources = rows_by_class(space)
        counts = len(self.classes), len(old)
        for name in present:
            weights[name] = copy_rows(own[name], weights[name], sources, counts, layers[name])
        log(f'{len(sources)} of {len(self.classes)} classes keep their rows')
        self._began_with = old

    def _check_resumed(self, old: tuple[str, ...]) -> None:
        """Refuse other classes: the optimizer's state and averaged weights cannot be converted."""
        if old != self.classes:
            expected = 'start from it by load_from, without resume'
            raise UserError(fault('resume', f'the checkpoint {self._told(old)}; {expected}'))

    def _told(self, old: tuple[str, ...]) -> str:
        pairs = enumerate(zip_longest(old, self.classes))
        place = next(number for number, (before, now) in pairs if before != now)
        before, now = (
            f'{len(names)}, number {place} is {[*names, None][place]!r}'
            for names in (old, self.classes)
        )
        return f'was trained on other classes ({before}) than the config has ({now})'

    def before_train(self, runner: Runner) -> None:
        """From here on the student learns its own classes."""
        self._began_with = None

    def before_test(self, runner: Runner) -> None:
        """Refuse to test what was trained on other classes: rows that it lacks are random."""
        if self._began_with is not None:
            name = runner.cfg.get('load_from')
            raise UserError(problem('checkpoint', name, self._told(self._began_with)))


class ClassAxis:
    """How a dimension of a weight grows with the number of classes.

    Args:
        axis: The dimension.
        rows: Rows a class: anchors of a convolution, box coordinates of a linear layer.
        extra: Rows that stand for no class, for each anchor: 1 for a background, 2 for
            objectness, 5 for the box and objectness of YOLOv3; of inputs, the other features.
        class_major: Whether a class's rows stand together, as a linear layer's do.
    """

    def __init__(self, axis: int, rows: int, extra: int, class_major: bool) -> None:
        self.axis = axis
        self.rows = rows
        self.extra = extra
        self.class_major = class_major

    def size(self, num_classes: int) -> int:
        """Return how many rows there are."""
        return self.rows * (num_classes + self.extra)

    def places(self, num_classes: int, classes: Sequence[int]) -> torch.Tensor:
        """Return the indices of the rows of some classes, and of all that stand for none."""
        every = torch.arange(self.size(num_classes))
        if self.class_major:
            every = every.view(-1, self.rows).T
        by_class = every.reshape(self.rows, num_classes + self.extra)
        # YOLOv3's box comes first, and so do features before PointRend's coarse scores of classes.
        first = self.extra if self.axis or self.extra == _YOLO_BOX else 0
        others = range(first) if first else range(num_classes, num_classes + self.extra)
        return by_class[:, [*others, *(first + each for each in classes)]].flatten()


def class_layers(
    model: Mapping[str, Any], own: Mapping[str, torch.Tensor], num_classes: int
) -> dict[str, list[ClassAxis]]:
    """Find the weights that depend on the number of classes, by building with one class more."""
    config = copy.deepcopy(model)
    set_num_classes(config, num_classes + 1, MODELS)
    with preserve_process_state():
        larger = MODELS.build(config).state_dict()
    layers: dict[str, list[ClassAxis]] = {}
    for name, weight in own.items():
        for axis, size in enumerate(weight.shape):
            rows = larger[name].shape[axis] - size
            if rows:
                extra = (size - rows * num_classes) // rows
                class_major = rows > 1 and _is_linear(name, own)
                layers.setdefault(name, []).append(ClassAxis(axis, rows, extra, class_major))
    return layers


def _is_loaded_twice(model: torch.nn.Module, weights: Mapping[str, Any]) -> bool:
    """Return whether a detector's weights become both teacher and student of MMDet's."""
    semi = isinstance(unwrapped(model), SemiBaseDetector)
    return semi and not any('student' in name or 'teacher' in name for name in weights)


def _of_student(named: Mapping[str, T]) -> dict[str, T]:
    prefix = 'student.'
    return {
        name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)
    }


def _is_linear(name: str, own: Mapping[str, torch.Tensor]) -> bool:
    stem = name.rpartition('.')[0]
    return own[f'{stem}.weight'].dim() == 2


def rows_by_class(space: ClassSpace) -> dict[int, int]:
    """Return for each student class that the checkpoint shares its index there."""
    sources: dict[int, int] = {}
    for old, new in enumerate(space.teacher_index(CHECKPOINT).tolist()):
        if new >= 0:
            sources.setdefault(new, old)
    return sources


def copy_rows(
    own: torch.Tensor,
    loaded: torch.Tensor,
    sources: Mapping[int, int],
    num_classes: tuple[int, int],
    axes: Sequence[ClassAxis],
) -> torch.Tensor:
    """Return the student's weight with the rows of shared classes taken from a checkpoint's.

    Args:
        own: The student's weight, freshly initialised.
        loaded: The checkpoint's.
        sources: Student class index to the checkpoint's.
        num_classes: How many the student has, and the checkpoint.
        axes: Which dimensions grow with the number of classes.

    Raises:
        UserError: If the checkpoint's weight is of another layer altogether.
    """
    num_new, num_old = num_classes
    expected = list(own.shape)
    for each in axes:
        expected[each.axis] = each.size(num_old)
    if list(loaded.shape) != expected:
        raise UserError(
            fault(
                'load_from',
                f'a classification weight is {list(loaded.shape)}, where {num_old} classes '
                f'would make it {expected}; is this checkpoint of the same model?',
            )
        )
    places = [torch.arange(size) for size in own.shape]
    for each in axes:
        places[each.axis] = each.places(num_new, list(sources))
        since = each.places(num_old, list(sources.values())).to(loaded.device)
        loaded = loaded.index_select(each.axis, since)
    new = own.clone(memory_format=torch.contiguous_format)
    new[torch.meshgrid(*places, indexing='ij')] = loaded.to(new)
    return new
