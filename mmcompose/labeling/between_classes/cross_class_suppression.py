"""One object, one class: of boxes of two classes in one place, the likelier keeps its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, ImageContext, LabelStream, LabelTransform
from mmcompose.labeling.compute.near_boxes import pairs_of_classes
from mmcompose.labeling.compute.per_class import class_index
from mmcompose.labeling.compute.state import (
    State,
    concatenated,
    table_entries,
    table_of_entries,
)
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections
from mmcompose.utils import Count, Fraction, Name, UserError, fault


@LABEL_TRANSFORMS.register_module()
class CrossClassSuppression(LabelTransform):
    """Lower the score of a box where a likelier one of another class lies.

    Two teachers may call one object car and truck, and one teacher may call it both: no fusion
    inside a class sees that. Two classes may also share places, as a worker and a person: these are
    pairs that one teacher, which knows both, gives to one object in a good share of the cases in
    which it is sure of the rarer one. They are learned from the pool. Neither do a coarse class and
    a finer one below it conflict. Stands after a fusion, where scores are near chances.

    Args:
        iou_thr: Boxes that overlap more than this are one object. Defaults to 0.7.
        decay: By what the scores of the others are multiplied; 0 drops them. Defaults to 0.2, with
            which none is kept by a usual threshold: as with Soft-NMS (Bodla et al. 2017), the order
            of the scores still shows what was found.
        min_count: Pairs of sure boxes, at least, by which classes share places. Defaults to 4.
        min_rate: The share of the rarer class's sure boxes, at least. Defaults to 0.5:
            pairs that are only mixed up reached less than 0.4.
        min_score: Boxes with at least this score are sure. Defaults to 0.3.
        pairs: Pairs of class names that conflict, whatever is learned.
        never: Pairs of class names that do not conflict.

    Raises:
        UserError: When applied, if no fusion went before.
    """

    rounds = 1
    revision = 5

    def __init__(
        self,
        iou_thr: Fraction = 0.7,
        decay: Fraction = 0.2,
        min_count: Count = 4,
        min_rate: Fraction = 0.5,
        min_score: Fraction = 0.3,
        pairs: list[tuple[Name, Name]] | None = None,
        never: list[tuple[Name, Name]] | None = None,
    ) -> None:
        self.iou_thr = iou_thr
        self.decay = decay
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
        """Set ``{'together': [...]}``: each pair that shares places, with its count and rate."""
        super().load_learned(learned)
        self._tabulate()

    def _tabulate(self) -> None:
        """Make the ``(C, C)`` bool table of classes that conflict."""
        below = self.class_space.hierarchy.below
        conflicts = ~(below | below.T)
        learned = [tuple(pair['classes']) for pair in self.learned.get('together', [])]
        for key, pairs, value in (
            ('learned', learned, False),
            ('pairs', self.pairs, True),
            ('never', self.never, False),
        ):
            for pair in pairs:
                first, second = (class_index(key, name, self.class_space) for name in pair)
                conflicts[first, second] = conflicts[second, first] = value
        np.fill_diagonal(conflicts, False)
        self._conflicts = conflicts

    def collect(self, stream: LabelStream) -> State:
        """Count pairs that one teacher gives to one object, and what it could have given both."""
        count = len(self.class_space.classes)
        together = np.zeros((count, count), np.int64)
        seen = np.zeros((count, count), np.int64)
        owners = self.class_space.owners.T.astype(np.int64)
        for detections, _ in stream:
            for found in detections.values():
                sure = found[found.scores >= self.min_score]
                np.add.at(seen, sure.labels, _votes(sure) @ owners > 0)
                np.add.at(together, _pairs_of_one_teacher(sure, self.iou_thr), 1)
        # Nearly all of a thousand classes' pairs are never seen.
        return {'together': table_entries(together), 'seen': table_entries(seen)}

    def merge(self, states: Sequence[State]) -> State:
        """See :meth:`LabelTransform.merge`."""
        size = len(self.class_space.classes)
        return {
            name: table_entries(table_of_entries(entries, size))
            for name, entries in concatenated(states).items()
        }

    def learn(self, state: State) -> None:
        """See :meth:`LabelTransform.learn`."""
        classes = self.class_space.classes
        together, seen = (
            table_of_entries(state[name], len(classes)) for name in ('together', 'seen')
        )
        pairs: list[dict[str, Any]] = []
        for first, second in np.argwhere(together >= self.min_count).tolist():
            count = int(together[first, second])
            rate = min(count / max(int(min(seen[first, second], seen[second, first])), 1), 1.0)
            if rate >= self.min_rate:
                names = sorted((classes[first], classes[second]))
                pairs.append({'classes': names, 'count': count, 'rate': round(rate, 4)})
        pairs.sort(key=lambda pair: (-pair['count'], pair['classes']))
        self.load_learned({'together': pairs} if pairs else {})

    def describe_learned(self) -> list[str]:
        """See :meth:`LabelTransform.describe_learned`."""
        return [
            f'{" and ".join(pair["classes"])} share places: one teacher gives both to an object '
            f'{pair["count"]} times, {pair["rate"]:.0%} of the rarer one; both keep their scores'
            for pair in self.learned.get('together', [])
        ]

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        return {name: self._one_name_a_place(found) for name, found in detections.items()}

    def _one_name_a_place(self, found: Detections) -> Detections:
        _votes(found)
        if len(found) < 2:
            return found
        rows, columns = pairs_of_classes(found.boxes, self.iou_thr)
        conflict = self._conflicts[found.labels[rows], found.labels[columns]]
        if not conflict.any():
            return found
        # Of an image's many boxes few lie in one place with another.
        crowded = np.unique(np.concatenate([rows[conflict], columns[conflict]]))
        near = np.zeros((len(crowded), len(crowded)), np.bool_)
        pairs = (
            np.searchsorted(crowded, rows[conflict]),
            np.searchsorted(crowded, columns[conflict]),
        )
        near[pairs] = near[pairs[::-1]] = True
        keys = (*found.boxes[crowded].T[::-1], found.labels[crowded], -found.scores[crowded])
        stays = np.ones(len(crowded), np.bool_)
        for place in np.lexsort(keys):
            if stays[place]:
                stays &= ~near[place]
        kept = np.ones(len(found), np.bool_)
        kept[crowded] = stays
        if not self.decay:
            return found[kept]
        scores = np.where(kept, found.scores, found.scores * np.float32(self.decay))
        return found.with_fields(scores=scores).sorted()


def _votes(found: Detections) -> NDArray[np.bool_]:
    if found.votes is None:
        raise UserError(fault('type', 'CrossClassSuppression needs votes; put it after a fusion'))
    return found.votes


def _pairs_of_one_teacher(
    found: Detections, iou_thr: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both classes, the lower index first, of pairs in one place that share a voter."""
    votes = _votes(found)
    rows, columns = pairs_of_classes(found.boxes, iou_thr)
    first, second = found.labels[rows], found.labels[columns]
    both = (first != second) & (votes[rows] & votes[columns]).any(axis=1)
    first, second = first[both], second[both]
    return np.minimum(first, second), np.maximum(first, second)
