"""How good labels are in a world: right and wrong boxes, and in whose pictures they stand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mmcompose.labeling import calibration_error
from mmcompose.structures import Detections

IOU_THR = 0.5
# Thresholds that are tried on all boxes of a world at once.
GRID = np.arange(0.01, 1.0, 0.005)

AP_IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Boxes:
    """The boxes of many pictures in flat arrays, those of each picture by falling score.

    Args:
        boxes: ``(N, 4)`` float64, xyxy in pixels.
        scores: ``(N,)`` float32.
        labels: ``(N,)``.
        offsets: ``(I + 1,)``, where each picture's boxes begin, and the end.
        ignore: ``(N,)``, of true boxes those that neither count nor cost.
    """

    boxes: Floats
    scores: NDArray[np.float32]
    labels: Ints
    offsets: Ints
    ignore: Bools

    @classmethod
    def of(cls, found: Sequence[Detections]) -> Boxes:
        """Join the boxes of pictures, sorted."""
        joined = [each.sorted() for each in found]
        return cls(
            np.concatenate([each.boxes for each in joined]).astype(np.float64),
            np.concatenate([each.scores for each in joined]),
            np.concatenate([each.labels for each in joined]),
            np.cumsum([0, *map(len, joined)]),
            np.concatenate([each.is_ignored for each in joined]),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, kept: Bools) -> Boxes:
        """Select boxes by a mask."""
        ends = np.concatenate([[0], np.cumsum(kept)])[self.offsets]
        parts = (self.boxes, self.scores, self.labels, self.ignore)
        boxes, scores, labels, ignore = (part[kept] for part in parts)
        return Boxes(boxes, scores, labels, ends, ignore)

    @property
    def pictures(self) -> Ints:
        """``(N,)``, the row of each box's picture."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def best_of_each_place(self, iou_thr: float, any_class: bool) -> Boxes:
        """Return what suppression leaves: the best of boxes that overlap at least so much."""
        return self[_suppress(self.boxes, self.labels, self.offsets, iou_thr, any_class)]

    def split(self) -> list[Detections]:
        """Return the boxes of each picture."""
        every = Detections.from_arrays(self.boxes, self.scores, self.labels)
        ends = self.offsets.tolist()
        return [every[begin:end] for begin, end in itertools.pairwise(ends)]


@njit(cache=True, inline='always')
def _iou(boxes: Floats, row: int, others: Floats, other: int) -> float:
    wide = min(boxes[row, 2], others[other, 2]) - max(boxes[row, 0], others[other, 0])
    high = min(boxes[row, 3], others[other, 3]) - max(boxes[row, 1], others[other, 1])
    if wide <= 0 or high <= 0:
        return 0.0
    area = (boxes[row, 2] - boxes[row, 0]) * (boxes[row, 3] - boxes[row, 1])
    other_area = (others[other, 2] - others[other, 0]) * (others[other, 3] - others[other, 1])
    return wide * high / (area + other_area - wide * high)


@njit(cache=True, inline='always')
def _covered(boxes: Floats, row: int, others: Floats, other: int) -> float:
    wide = min(boxes[row, 2], others[other, 2]) - max(boxes[row, 0], others[other, 0])
    high = min(boxes[row, 3], others[other, 3]) - max(boxes[row, 1], others[other, 1])
    area = (boxes[row, 2] - boxes[row, 0]) * (boxes[row, 3] - boxes[row, 1])
    return max(wide, 0.0) * max(high, 0.0) / max(area, 1e-9)


@njit(cache=True)
def _suppress(boxes: Floats, labels: Ints, offsets: Ints, iou_thr: float, any_class: bool) -> Bools:
    kept = np.ones(len(boxes), np.bool_)
    for picture in range(len(offsets) - 1):
        for row in range(offsets[picture], offsets[picture + 1]):
            for better in range(offsets[picture], row):
                alike = any_class or labels[better] == labels[row]
                if kept[better] and alike and _iou(boxes, row, boxes, better) >= iou_thr:
                    kept[row] = False
                    break
    return kept


@njit(cache=True)
def _verdicts(
    boxes: Floats,
    labels: Ints,
    offsets: Ints,
    true_boxes: Floats,
    true_labels: Ints,
    true_offsets: Ints,
    ignore: Bools,
    iou_thr: float,
) -> NDArray[np.int8]:
    """Return 1 for a right box, 0 for a wrong one, -1 for one that is not judged.

    COCO's evaluation compares what is on a box to ignore with the found box's own area.
    """
    verdicts = np.zeros(len(boxes), np.int8)
    free = ~ignore
    for picture in range(len(offsets) - 1):
        for row in range(offsets[picture], offsets[picture + 1]):
            best, best_overlap, doubtful = -1, iou_thr, False
            for there in range(true_offsets[picture], true_offsets[picture + 1]):
                if labels[row] != true_labels[there]:
                    continue
                if ignore[there]:
                    covered = _covered(boxes, row, true_boxes, there)
                    doubtful = doubtful or covered >= iou_thr
                elif free[there]:
                    overlap = _iou(boxes, row, true_boxes, there)
                    if overlap >= best_overlap:
                        best, best_overlap = there, overlap
            if best >= 0:
                free[best] = False
                verdicts[row] = 1
            elif doubtful:
                verdicts[row] = -1
    return verdicts


@dataclass(frozen=True)
class Truth:
    """What is in a world's pictures, and whose they are.

    Args:
        boxes: The true ones.
        home: ``(C, I)``, whether a picture holds a true box of a class of an owner of class c.
        own: ``(C, I)``, whether it holds that, and none of a class that no owner of c knows.
        classes: How many the student has.
    """

    boxes: Boxes
    home: Bools
    own: Bools
    classes: int

    @classmethod
    def of(cls, truth: Sequence[Detections], owners: Bools) -> Truth:
        """Make one.

        Args:
            truth: Of each picture the true boxes; difficult ones with ``ignore``.
            owners: ``(C, T)``, which teachers know each class.
        """
        there = np.zeros((len(truth), len(owners)), np.bool_)
        for row, each in enumerate(truth):
            there[row, each.labels] = True
        # By class those that one of its owners knows.
        known = (owners.astype(int) @ owners.T.astype(int)) > 0
        home = known.astype(int) @ there.T.astype(int) > 0
        foreign = (~known).astype(int) @ there.T.astype(int) > 0
        return cls(Boxes.of(truth), home, home & ~foreign, len(owners))

    def judge(self, found: Boxes) -> Judged:
        """Hold boxes against the truth, the most confident first, each true box once."""
        verdicts = self._verdicts(found, IOU_THR)
        judged = verdicts >= 0
        pictures = found.pictures[judged]
        parts = found.scores[judged], found.labels[judged], verdicts[judged] == 1
        return Judged(*parts, pictures, self)

    def _verdicts(self, found: Boxes, iou_thr: float) -> NDArray[np.int8]:
        true = self.boxes
        ours = found.boxes, found.labels, found.offsets
        theirs = true.boxes, true.labels, true.offsets, true.ignore
        verdicts: NDArray[np.int8] = _verdicts(*ours, *theirs, iou_thr)
        return verdicts

    def average_precision(self, found: Boxes) -> Floats:
        """Return ``(C,)`` COCO's AP over IoU 0.5:0.95, NaN for classes without a true box.

        As CocoMetric computes it, save that pictures may hold more than 100 boxes of a class; that
        takes seconds for what takes milliseconds here.
        """
        positives = self.positives()
        order = np.argsort(-found.scores, kind='stable')
        labels = found.labels[order]
        precision = np.zeros((len(AP_IOUS), self.classes))
        for row, iou_thr in enumerate(AP_IOUS):
            verdicts = self._verdicts(found, iou_thr)[order]
            for label in np.flatnonzero(positives):
                judged = verdicts[(labels == label) & (verdicts >= 0)]
                precision[row, label] = _interpolated(judged == 1, positives[label])
        means: Floats = np.where(positives > 0, precision.mean(axis=0), np.nan)
        return means

    def positives(self, where: Bools | None = None) -> Ints:
        """Return ``(C,)`` how many true boxes there are, in all pictures or in some by class."""
        labels, pictures = self.boxes.labels, self.boxes.pictures
        counted = ~self.boxes.ignore
        if where is not None:
            counted &= where[labels, pictures]
        return np.bincount(labels[counted], minlength=self.classes)


def _interpolated(right: Bools, positives: int) -> float:
    """Return the mean precision at 101 recalls, boxes given by falling score."""
    if not len(right):
        return 0.0
    hits = right.cumsum()
    precision = hits / np.arange(1, len(right) + 1)
    # At a recall counts the best precision that is reached from there on.
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / positives, RECALLS, side='left')
    return float(np.append(precision, 0.0)[places].mean())


@dataclass(frozen=True)
class Judged:
    """Boxes held against the truth; those that only match one to ignore are not among them.

    Args:
        scores: ``(N,)``.
        labels: ``(N,)``.
        right: ``(N,)``. A threshold takes nothing from the boxes above it.
        pictures: ``(N,)``, the row of each box's picture.
        truth: What they were held against.
    """

    scores: NDArray[np.float32]
    labels: Ints
    right: Bools
    pictures: Ints
    truth: Truth

    def f1_by_threshold(self) -> Floats:
        """Return ``(C', len(GRID))`` F1 of the classes that have a true box, by threshold."""
        positives = self.truth.positives()
        step = np.searchsorted(GRID, self.scores, side='right') - 1
        counts = np.zeros((2, self.truth.classes, len(GRID)))
        reached = step >= 0
        for part, rows in zip(counts, (reached, reached & self.right), strict=True):
            np.add.at(part, (self.labels[rows], step[rows]), 1)
        found, hits = counts[..., ::-1].cumsum(axis=-1)[..., ::-1]
        f1 = 2 * hits / np.maximum(found + positives[:, None], 1)
        return f1[positives > 0]

    def figures(self, kept: Bools | None = None) -> dict[str, Any]:
        """Return the figures of the boxes that a mask keeps; of all by default."""
        kept = np.ones(len(self.scores), np.bool_) if kept is None else kept
        labels, right, pictures = self.labels[kept], self.right[kept], self.pictures[kept]
        home, own = self.truth.home[labels, pictures], self.truth.own[labels, pictures]
        astray = ~right & ~home
        return {
            **self._macro(labels, right, self.truth.positives()),
            'own': self._macro(labels[own], right[own], self.truth.positives(self.truth.own)),
            'others': self._macro(labels[~own], right[~own], self.truth.positives(~self.truth.own)),
            'wrong in pictures without': float(astray.sum() / max(len(labels), 1)),
            'calibration_error': calibration_error(self.scores[kept], right)
            if kept.any()
            else None,
            'boxes_per_image': len(labels) / self.truth.home.shape[1],
        }

    def _macro(self, labels: Ints, right: Bools, positives: Ints) -> dict[str, float | None]:
        """Return means over classes that have a true box; None where none has."""
        seen = positives > 0
        if not seen.any():
            return dict.fromkeys(('precision', 'recall', 'f1'))
        count = np.bincount(labels, minlength=self.truth.classes)[seen]
        hits = np.bincount(labels[right], minlength=self.truth.classes)[seen]
        return {
            'precision': float((hits / np.maximum(count, 1)).mean()),
            'recall': float((hits / positives[seen]).mean()),
            'f1': float((2 * hits / (count + positives[seen])).mean()),
        }
