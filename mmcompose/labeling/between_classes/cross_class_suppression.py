"""One object under two names: keep the better supported of two conflicting boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, ImageContext, LabelStream, LabelTransform
from mmcompose.labeling.compute.near_boxes import pairs_of_classes
from mmcompose.labeling.compute.per_class import class_index
from mmcompose.labeling.compute.state import State, summed
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections
from mmcompose.utils import Count, Fraction, UserError, fault


@LABEL_TRANSFORMS.register_module()
class CrossClassSuppression(LabelTransform):
    """Drop a box where a better supported one of a conflicting class lies.

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
        UserError: When applied, if no fusion went before.
    """

    rounds = 1

    def __init__(
        self,
        iou_thr: Fraction = 0.7,
        min_count: Count = 10,
        min_rate: Fraction = 0.2,
        min_score: Fraction = 0.1,
        pairs: list[tuple[str, str]] | None = None,
        never: list[tuple[str, str]] | None = None,
    ) -> None:
        self.iou_thr = iou_thr
        self.min_count = min_count
        self.min_rate = min_rate
        self.min_score = min_score
        self.pairs = list(pairs or ())
        self.never = list(never or ())

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """See :meth:`LabelTransform.bind`."""
        super().bind(class_space, weights)
        self._tabulate()

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """Set ``{'pairs': [...]}``: each conflicting pair with its count and rate."""
        super().load_learned(learned)
        self._tabulate()

    def _tabulate(self) -> None:
        """Make the ``(C, C)`` bool table of classes that conflict."""
        count = len(self.class_space.classes)
        conflicts = np.zeros((count, count), np.bool_)
        learned = [tuple(pair['classes']) for pair in self.learned.get('pairs', [])]
        for key, pairs, value in (
            ('learned', learned, True),
            ('pairs', self.pairs, True),
            ('never', self.never, False),
        ):
            for pair in pairs:
                first, second = (class_index(key, name, self.class_space) for name in pair)
                conflicts[first, second] = conflicts[second, first] = value
        self._conflicts = conflicts

    def collect(self, stream: LabelStream) -> State:
        """Count which classes lie on one another, and how often each is seen."""
        count = len(self.class_space.classes)
        together = np.zeros((count, count), np.int64)
        seen = np.zeros(count, np.int64)
        for detections, _ in stream:
            for found in detections.values():
                found = found[found.scores >= self.min_score]
                seen += np.bincount(found.labels, minlength=count)
                np.add.at(together, _pairs_in(found, self.iou_thr), 1)
        return {'together': together, 'seen': seen}

    def merge(self, states: Sequence[State]) -> State:
        """See :meth:`LabelTransform.merge`."""
        return summed(states)

    def learn(self, state: State) -> None:
        """See :meth:`LabelTransform.learn`."""
        classes, seen = self.class_space.classes, state['seen']
        pairs: list[dict[str, Any]] = []
        for first, second in np.argwhere(state['together'] >= self.min_count).tolist():
            count = int(state['together'][first, second])
            rate = min(count / int(min(seen[first], seen[second])), 1.0)
            if rate >= self.min_rate:
                names = sorted((classes[first], classes[second]))
                pairs.append({'classes': names, 'count': count, 'rate': round(rate, 4)})
        pairs.sort(key=lambda pair: (-pair['count'], pair['classes']))
        self.load_learned({'pairs': pairs} if pairs else {})

    def describe_learned(self) -> list[str]:
        """See :meth:`LabelTransform.describe_learned`."""
        return [
            f'{" and ".join(pair["classes"])} name one object: together {pair["count"]} times, '
            f'{pair["rate"]:.0%} of the rarer one; the better supported is kept'
            for pair in self.learned.get('pairs', [])
        ]

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        return {
            name: _suppressed(found, self._conflicts, self.weights, self.iou_thr)
            for name, found in detections.items()
        }


def _votes(found: Detections) -> NDArray[np.bool_]:
    if found.votes is None:
        raise UserError(fault('type', 'CrossClassSuppression weighs votes; put it after a fusion'))
    return found.votes


def _pairs_in(found: Detections, iou_thr: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both classes of each pair of two teachers' boxes that lie on one another."""
    votes = _votes(found)
    rows, columns = pairs_of_classes(found.boxes, iou_thr)
    first, second = found.labels[rows], found.labels[columns]
    # One teacher that gives both names to an object may well mean both: a person, a rider.
    conflict = (first != second) & ~(votes[rows] & votes[columns]).any(axis=1)
    first, second = first[conflict], second[conflict]
    return np.minimum(first, second), np.maximum(first, second)


def _suppressed(
    found: Detections, conflicts: NDArray[np.bool_], weights: NDArray[np.float64], iou_thr: float
) -> Detections:
    support = _votes(found) @ weights
    if len(found) < 2 or not conflicts.any():
        return found
    rows, columns = pairs_of_classes(found.boxes, iou_thr)
    conflict = conflicts[found.labels[rows], found.labels[columns]]
    if not conflict.any():
        return found
    near = np.zeros((len(found), len(found)), np.bool_)
    near[rows[conflict], columns[conflict]] = True
    near |= near.T
    kept = np.ones(len(found), np.bool_)
    order = np.lexsort((*found.boxes.T[::-1], found.labels, -found.scores, -support))
    for row in order:
        if kept[row]:
            kept &= ~near[row]
    return found[kept]
