"""Detections: the boxes of one image, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcompose.structures.masks import Masks, no_masks
from mmcompose.structures.showing import as_html, as_supervision, in_one_line
from mmcompose.utils import UserError, fault


def _float32(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.zeros(shape, np.float32)


@dataclass(frozen=True, eq=False, repr=False)
class Detections:
    """Boxes of one image with scores, labels and, after a fusion, where each came from.

    Whose label indices these are (a teacher's classes or the student's) depends on the step:
    only :class:`mmcompose.class_space.ClassSpace` converts.

    Args:
        boxes: ``(N, 4)`` float32, xyxy in pixels of the original image.
        scores: ``(N,)`` float32 in [0, 1].
        labels: ``(N,)`` int64 class indices.
        votes: ``(N, T)`` bool, which of the T teachers found the box; None before a fusion.
        best_score: ``(N,)`` float32, the best single score in the fused cluster; None before.
        cluster_size: ``(N,)`` int64, how many boxes were fused into this one; None before.
        spread: ``(N,)`` float32, 1 minus the mean IoU of the cluster's boxes with the fused
            one: 0 where all agree; None before.
        ignore: ``(N,)`` bool, True where the box neither teaches nor counts as background;
            None before score bands are set.
        weights: ``(N,)`` float32 of at least 0, how much the box counts in the student's loss;
            None where all count alike.
        features: ``(N, D)`` float16, what each place looks like; only of the cells into which
            :class:`mmcompose.models.PictureFeatures` divides a picture, else None.
        masks: ``(N,)`` of bytes, an instance mask over the image for each box, or None where it
            has none; see :mod:`mmcompose.structures.masks`. None where boxes are all there is.
        asked: Whether a teacher predicted on the image. False is not that it found nothing:
            it does not vote there, and there are no boxes.
    """

    boxes: NDArray[np.float32] = field(default_factory=lambda: _float32((0, 4)))
    scores: NDArray[np.float32] = field(default_factory=lambda: _float32((0,)))
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    votes: NDArray[np.bool_] | None = None
    best_score: NDArray[np.float32] | None = None
    cluster_size: NDArray[np.int64] | None = None
    spread: NDArray[np.float32] | None = None
    ignore: NDArray[np.bool_] | None = None
    weights: NDArray[np.float32] | None = None
    features: NDArray[np.float16] | None = None
    masks: Masks | None = None
    asked: bool = True

    @classmethod
    def from_arrays(
        cls,
        boxes: ArrayLike,
        scores: ArrayLike,
        labels: ArrayLike,
        masks: Masks | None = None,
    ) -> Detections:
        """Make detections of anything array-like, converted to the dtypes above.

        Raises:
            UserError: If boxes are rows of other than four numbers, or a label is no whole number.
        """
        corners = np.asarray(boxes, np.float32)
        # Flattened, boxes of another shape would be cut anew into fours.
        if corners.size and corners.ndim == 2 and corners.shape[1] != 4:
            raise UserError(fault('boxes', f'are of shape {corners.shape}, not (N, 4)'))
        given = np.asarray(labels).reshape(-1)
        with np.errstate(invalid='ignore'):
            whole = given.astype(np.int64)
        if (different := given != whole).any():
            raise UserError(
                fault('labels', f'{given[different][0]} is no whole number, so no class index')
            )
        return cls(
            corners.reshape(-1, 4),
            np.asarray(scores, np.float32).reshape(-1),
            whole,
            masks=masks,
        )

    def __post_init__(self) -> None:
        count, values = len(self.boxes), vars(self)
        for name in _OF_BOXES:
            array = values[name]
            if array is not None:
                assert len(array) == count, f'{name} has {len(array)} rows, boxes have {count}'

    def _arrays(self) -> dict[str, NDArray[Any]]:
        values = vars(self)
        return {name: values[name] for name in _OF_BOXES if values[name] is not None}

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, rows: NDArray[np.generic] | slice | Sequence[int] | int) -> Detections:
        """Select boxes by mask, slice or index array; by a number, the one there.

        Raises:
            IndexError: If there is no such box.
        """
        if isinstance(rows, (int, np.integer)):
            row = range(len(self.boxes))[rows]
            rows = slice(row, row + 1)
        if isinstance(rows, np.ndarray) and rows.dtype == np.bool_:
            assert len(rows) == len(self.boxes), f'{len(rows)} rows, {len(self.boxes)} boxes'
            # Once for all fields; most masks of a pool select every box of an image, or none.
            rows = rows.nonzero()[0]
            if len(rows) == len(self.boxes):
                return self
        selected = object.__new__(Detections)
        # Not by the constructor, which a pool calls a million times to check what is sure here.
        made = vars(selected)
        made.update(vars(self))
        is_index = isinstance(rows, np.ndarray)
        for name in _OF_BOXES:
            array = made[name]
            if array is not None:
                made[name] = array.take(rows, axis=0) if is_index else array[rows]
        return selected

    def with_fields(self, **fields: Any) -> Detections:
        """Return the same boxes with some fields changed: ``dataclasses.replace``, in less time."""
        changed = object.__new__(Detections)
        made = vars(changed)
        made.update(vars(self))
        made.update(fields)
        assert len(made) == _NUM_FIELDS, f'no such fields: {list(fields)}'
        count = len(made['boxes'])
        for name in fields:
            assert fields[name] is None or len(fields[name]) == count, f'{name} has other rows'
        return changed

    @classmethod
    def concatenate(cls, parts: Iterable[Detections]) -> Detections:
        """Join detections that carry the same fields; no parts give no boxes.

        Only masks may be missing from some: their boxes then have none.
        """
        parts = list(parts)
        if not parts:
            return cls()
        if any(part.masks is not None for part in parts):
            parts = [part.with_masks() for part in parts]
        names = [part._arrays().keys() for part in parts]
        assert all(keys == names[0] for keys in names), f'fields differ: {names}'
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in names[0]
        }
        return cls(**joined)

    def __repr__(self) -> str:
        return in_one_line(self.scores, self.labels, self.ignore)

    def _repr_html_(self) -> str:
        surest = self.sorted()
        return as_html(surest.boxes, surest.scores, surest.labels)

    def to_supervision(self, classes: Sequence[str] | None = None) -> Any:
        """Return the boxes as ``supervision.Detections`` (extra ``supervision``), without masks.

        Args:
            classes: The names of the labels, for ``data['class_name']``; a composition's are its
                ``classes``. Defaults to none.

        Raises:
            UserError: If supervision is not installed.
        """
        more = {name: getattr(self, name) for name in ('votes', 'spread', 'ignore', 'weights')}
        return as_supervision(self.boxes, self.scores, self.labels, classes, more)

    @property
    def is_ignored(self) -> NDArray[np.bool_]:
        """``(N,)`` bool: ``ignore``, False for all before score bands are set."""
        return np.zeros(len(self), np.bool_) if self.ignore is None else self.ignore

    def kept(self) -> Detections:
        """Return the boxes that are not ignored."""
        return self[~self.is_ignored]

    @property
    def each_mask(self) -> Masks:
        """``(N,)`` as ``masks``, and None for each box where boxes are all there is."""
        return no_masks(len(self)) if self.masks is None else self.masks

    def with_masks(self) -> Detections:
        """Return the same with ``masks`` set: None for each box, where there were none."""
        return self if self.masks is not None else self.with_fields(masks=self.each_mask)

    def sorted(self) -> Detections:
        """Order boxes by falling score, ties by label and then by the box itself."""
        keys = (*self.boxes.T[::-1], self.labels, -self.scores)
        return self[np.lexsort(keys)]

    def clipped(self, width: int, height: int) -> Detections:
        """Cut boxes at the image's border and drop those of which nothing is left."""
        size = np.array([width, height, width, height], np.float32)
        boxes = np.minimum(np.maximum(self.boxes, np.float32(0)), size)
        left = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return self.with_fields(boxes=boxes)[left]


# The fields that have a row for each box.
_OF_BOXES = tuple(each.name for each in fields(Detections) if each.name != 'asked')
_NUM_FIELDS = len(_OF_BOXES) + 1
