"""One object under two names: keep the better supported of two conflicting boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, LabelContext, LabelTransform, Pool
from mmcompose.labeling.compute.per_class import check_fraction, class_index
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections, iou
from mmcompose.utils import UserError, fault, problem


@LABEL_TRANSFORMS.register_module()
class CrossClassSuppression(LabelTransform):
    """Drop a box where a better supported one of a conflicting class says the same.

    Two teachers may call one object car and truck: no fusion inside a class sees that. Which
    pairs of classes conflict is learned from the pool: their fused boxes, found by different
    teachers, lie on one another in a good share of the cases in which the rarer of the two is
    seen. Better supported is the box with more weight of votes, then with the higher score.
    Stands after a fusion.

    Args:
        iou_thr: Boxes that overlap more than this are one object. Defaults to 0.7.
        min_count: Pairs seen together less often than this do not conflict. Defaults to 10.
        min_rate: Nor do pairs that are together in a smaller share of the rarer class's boxes.
            Defaults to 0.2.
        min_score: Boxes with a lower score teach nothing about pairs. Defaults to 0.1.
        pairs: More pairs of class names that conflict, learned or not.
        never: Pairs of class names that do not conflict, whatever is learned.

    Raises:
        UserError: If an argument is out of range; when applied, if no fusion went before.
    """

    def __init__(
        self,
        iou_thr: float = 0.7,
        min_count: int = 10,
        min_rate: float = 0.2,
        min_score: float = 0.1,
        pairs: list[tuple[str, str]] | None = None,
        never: list[tuple[str, str]] | None = None,
    ) -> None:
        self.iou_thr = check_fraction('iou_thr', iou_thr)
        if not isinstance(min_count, int) or min_count < 1:
            raise UserError(problem('min_count', min_count, 'is no positive whole number'))
        self.min_count = min_count
        self.min_rate = check_fraction('min_rate', min_rate)
        self.min_score = check_fraction('min_score', min_score)
        self.pairs = _check_pairs('pairs', pairs)
        self.never = _check_pairs('never', never)
        self._learned: list[dict[str, Any]] = []
        self._conflicts: tuple[ClassSpace, NDArray[np.bool_]] | None = None

    def check(self, class_space: ClassSpace) -> None:
        """See :meth:`LabelTransform.check`."""
        self._matrix(class_space)

    @property
    def learned(self) -> dict[str, Any]:
        """``{'pairs': [...]}``: each conflicting pair with its count and rate."""
        return {'pairs': self._learned} if self._learned else {}

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """See :meth:`LabelTransform.load_learned`."""
        self._learned = list(learned.get('pairs', []))
        self._conflicts = None

    def fit(self, pool: Pool) -> None:
        """Count which classes lie on one another; see :meth:`LabelTransform.fit`."""
        together: Counter[tuple[int, int]] = Counter()
        seen: Counter[int] = Counter()
        classes: tuple[str, ...] = ()
        for detections, context in pool:
            classes = context.class_space.classes
            for found in detections.values():
                found = found[found.scores >= self.min_score]
                seen.update(found.labels.tolist())
                together.update(_pairs_in(found, self.iou_thr))
        self._learned = []
        for (first, second), count in sorted(together.items()):
            rate = min(count / min(seen[first], seen[second]), 1.0)
            if count >= self.min_count and rate >= self.min_rate:
                names = sorted((classes[first], classes[second]))
                self._learned.append({'classes': names, 'count': count, 'rate': round(rate, 4)})
        self._learned.sort(key=lambda pair: (-pair['count'], pair['classes']))
        self._conflicts = None

    def describe_learned(self) -> list[str]:
        """See :meth:`LabelTransform.describe_learned`."""
        return [
            f'{" and ".join(pair["classes"])} name one object: together {pair["count"]} times, '
            f'{pair["rate"]:.0%} of the rarer one; the better supported is kept'
            for pair in self._learned
        ]

    def _matrix(self, space: ClassSpace) -> NDArray[np.bool_]:
        """Return ``(C, C)`` bool: which classes conflict."""
        if self._conflicts is None or self._conflicts[0] is not space:
            conflicts = np.zeros((len(space.classes), len(space.classes)), np.bool_)
            learned = [tuple(pair['classes']) for pair in self._learned]
            for key, pairs, value in (
                ('learned', learned, True),
                ('pairs', self.pairs, True),
                ('never', self.never, False),
            ):
                for pair in pairs:
                    first, second = (class_index(key, name, space) for name in pair)
                    conflicts[first, second] = conflicts[second, first] = value
            self._conflicts = (space, conflicts)
        return self._conflicts[1]

    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        conflicts = self._matrix(context.class_space)
        return {
            name: _suppressed(found, conflicts, context.weights, self.iou_thr)
            for name, found in detections.items()
        }


def _check_pairs(key: str, pairs: list[tuple[str, str]] | None) -> list[tuple[str, ...]]:
    for pair in pairs or ():
        if isinstance(pair, str) or len(pair) != 2:
            raise UserError(problem(key, pair, 'is no pair of class names'))
    return [tuple(pair) for pair in pairs or ()]


def _votes(found: Detections) -> NDArray[np.bool_]:
    if found.votes is None:
        raise UserError(fault('type', 'CrossClassSuppression weighs votes; put it after a fusion'))
    return found.votes


def _pairs_in(found: Detections, iou_thr: float) -> list[tuple[int, int]]:
    """Return the classes of each pair of two teachers' boxes that lie on one another."""
    votes = _votes(found)
    near = np.triu(iou(found.boxes, found.boxes) > iou_thr, 1)
    near &= found.labels[:, None] != found.labels[None, :]
    # One teacher that gives both names to an object may well mean both: a person, a rider.
    near &= ~(votes[:, None] & votes[None, :]).any(axis=2)
    rows, columns = np.nonzero(near)
    labels = np.sort(np.stack([found.labels[rows], found.labels[columns]], axis=1), axis=1)
    return [(int(first), int(second)) for first, second in labels]


def _suppressed(
    found: Detections, conflicts: NDArray[np.bool_], weights: NDArray[np.float64], iou_thr: float
) -> Detections:
    support = _votes(found) @ weights
    if len(found) < 2 or not conflicts.any():
        return found
    near = iou(found.boxes, found.boxes) > iou_thr
    near &= conflicts[found.labels[:, None], found.labels[None, :]]
    kept = np.ones(len(found), np.bool_)
    order = np.lexsort((*found.boxes.T[::-1], found.labels, -found.scores, -support))
    for row in order:
        if kept[row]:
            kept &= ~near[row]
    return found[kept]
