"""Scores, labels and verdicts of boxes, which thresholds and curves are learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import LabelStream, entry_names
from mmcompose.labeling.compute.matching import RIGHT, UNJUDGED, judge
from mmcompose.labeling.compute.state import State
from mmcompose.structures import Detections


class ScoredBoxes(NamedTuple):
    """Boxes of one teacher, N of them, in some images.

    Args:
        scores: ``(N,)`` float32.
        labels: ``(N,)`` int64.
        right: ``(N,)`` bool, whether it is right; False for all where there is no truth.
        positives: ``(C,)`` int64, how many true boxes the images on which it predicted have of
            each class that the teacher owns.
        best_scores: ``(C,)`` float32, the best score of each class: that a box has, or that a
            teacher gave it before steps after the fusion lowered it.
        images: On how many images it predicted.
    """

    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    right: NDArray[np.bool_]
    positives: NDArray[np.int64]
    best_scores: NDArray[np.float32]
    images: int

    def of_classes(self, labels: Sequence[int] | NDArray[np.int64]) -> ScoredBoxes:
        """Return the boxes of some classes; the others have no true box then."""
        wanted = np.zeros(len(self.positives), np.bool_)
        wanted[np.asarray(labels)] = True
        if wanted.all():
            return self
        own = wanted[self.labels]
        return ScoredBoxes(
            self.scores[own],
            self.labels[own],
            self.right[own],
            np.where(wanted, self.positives, 0),
            np.where(wanted, self.best_scores, np.float32(0)),
            self.images,
        )


def collect_boxes(
    stream: LabelStream, class_space: ClassSpace, right_iou_thr: float | None = None
) -> State:
    """Return what :func:`boxes_by_teacher` reads.

    Args:
        stream: The images.
        class_space: Names the teachers and classes.
        right_iou_thr: From which overlap with a true box on a box is right; images without truth
            are then left out, and so are boxes that cannot be judged. Defaults to None: truth is
            not looked at.
    """
    rows = {name: row for row, name in enumerate(entry_names(class_space))}
    images, seen = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
    positives = np.zeros((len(rows), len(class_space.classes)), np.int64)
    teachers, scores, labels = (_Column(kind) for kind in (np.int16, np.float32, np.int32))
    right = _Column(np.bool_)
    best = np.zeros((len(rows), len(class_space.classes)), np.float32)
    for detections, image in stream:
        truth = None if right_iou_thr is None else image.truth
        if truth is None and right_iou_thr is not None:
            continue
        predicted = np.ones(len(rows), np.int64)
        predicted[[rows[name] for name, each in detections.items() if not each.asked]] = 0
        images += predicted
        if truth is not None:
            there = np.bincount(truth.kept().labels, minlength=positives.shape[1])
            positives += predicted[:, None] * there
        for name, found in detections.items():
            seen[rows[name]] = True
            if truth is None or right_iou_thr is None:
                right.add(np.zeros(len(found), np.bool_))
            else:
                found, verdicts = _judged(found, truth, right_iou_thr)
                right.add(verdicts)
            teachers.add(np.full(len(found), rows[name]))
            scores.add(found.scores)
            labels.add(found.labels)
            np.maximum.at(best[rows[name]], found.labels, found.scores)
            if found.best_score is not None:
                np.maximum.at(best[rows[name]], found.labels, found.best_score)
    columns = {'teachers': teachers, 'scores': scores, 'labels': labels, 'right': right}
    return {
        **{name: column.joined() for name, column in columns.items()},
        # A row for each part that is merged.
        'images': images[None],
        'seen': seen[None],
        'positives': positives[None],
        'best_scores': best[None],
    }


def boxes_by_teacher(state: State, class_space: ClassSpace) -> dict[str, ScoredBoxes]:
    """Return the boxes of each teacher, by name, or of 'fused', that predicted."""
    images, positives = state['images'].sum(axis=0), state['positives'].sum(axis=0)
    found = {}
    for row, name in enumerate(entry_names(class_space)):
        owned = class_space.owners[:, row] if name in class_space.teachers else True
        if state['seen'][:, row].any():
            own = state['teachers'] == row
            labels = state['labels'][own].astype(np.int64)
            scores, right = state['scores'][own], state['right'][own]
            best = state['best_scores'][:, row].max(axis=0)
            # No teacher misses what it does not know.
            own_positives = np.where(owned, positives[row], 0)
            found[name] = ScoredBoxes(scores, labels, right, own_positives, best, int(images[row]))
    return dict(sorted(found.items()))


def _judged(
    found: Detections, truth: Detections, iou_thr: float
) -> tuple[Detections, NDArray[np.bool_]]:
    verdicts = judge(found, truth, iou_thr)
    known = verdicts != UNJUDGED
    return found[known], verdicts[known] == RIGHT


class _Column:
    """An array that grows."""

    def __init__(self, kind: type[np.generic]) -> None:
        self._parts: list[NDArray[Any]] = [np.zeros(0, kind)]

    def add(self, values: NDArray[Any]) -> None:
        self._parts.append(values)

    def joined(self) -> NDArray[Any]:
        return np.concatenate(self._parts, dtype=self._parts[0].dtype)
