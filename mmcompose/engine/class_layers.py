"""Which weights of a detector depend on its classes, and how their rows are carried over."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from mmdet.models.detectors import SemiBaseDetector
from mmdet.registry import MODELS

from mmcompose.class_space import ClassSpace
from mmcompose.composition import preserve_process_state
from mmcompose.engine.num_classes import set_num_classes
from mmcompose.engine.unwrapped import unwrapped
from mmcompose.utils import UserError, fault

T = TypeVar('T')

_YOLO_BOX = 5


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


def is_loaded_twice(model: torch.nn.Module, weights: Mapping[str, Any]) -> bool:
    """Return whether a detector's weights become both teacher and student of MMDet's."""
    semi = isinstance(unwrapped(model), SemiBaseDetector)
    return semi and not any('student' in name or 'teacher' in name for name in weights)


def of_student(named: Mapping[str, T]) -> dict[str, T]:
    """Return of what is named by the weights of a semi-supervised detector its student's."""
    prefix = 'student.'
    return {
        name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)
    }


def _is_linear(name: str, own: Mapping[str, torch.Tensor]) -> bool:
    stem = name.rpartition('.')[0]
    return own[f'{stem}.weight'].dim() == 2


def rows_by_class(
    space: ClassSpace, names: Sequence[str], mapping: Mapping[str, str | None] | None = None
) -> dict[int, int]:
    """Return for each student class that a model of other classes has its index there.

    Args:
        space: The student's classes.
        names: The model's, in its order.
        mapping: Its class name to the student's, or to None; see :class:`ClassSpace`. Of several
            that become one, the one of that name is taken, or else the first. Defaults to none.
    """
    called = space.index(names)
    mapped = space.index([(mapping or {}).get(name, name) for name in names])
    sources: dict[int, int] = {}
    for old, new in enumerate(mapped.tolist()):
        if new >= 0 and (new not in sources or called[sources[new]] != new == called[old]):
            sources[new] = old
    return sources


def shape_of_other(shape: torch.Size, axes: Sequence[ClassAxis], num_classes: int) -> torch.Size:
    """Return the shape that a weight has in a model of another number of classes."""
    sizes = list(shape)
    for each in axes:
        sizes[each.axis] = each.size(num_classes)
    return torch.Size(sizes)


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
    expected = shape_of_other(own.shape, axes, num_old)
    if loaded.shape != expected:
        raise UserError(
            fault(
                'load_from',
                f'a classification weight is {list(loaded.shape)}, where {num_old} classes '
                f'would make it {list(expected)}; is this checkpoint of the same model?',
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
