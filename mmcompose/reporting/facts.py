"""What a card shows of a pool's labels, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmcompose.composition import Composition, PoolLabels
from mmcompose.evaluation import error_kinds
from mmcompose.labeling import FUSED, CoOccurrence, co_occurrences
from mmcompose.store import DetectionTable
from mmcompose.structures import Detections, Image, iou
from mmcompose.teachers import Teacher
from mmcompose.utils import progress

BINS = 20
# Pictures whose teachers' boxes are looked at: more change no figure that a person sees.
SAMPLE = 1000
# Pictures on which the student predicts once more.
STUDENT_SAMPLE = 200
_CONFIRMED_IOU = 0.5
_LEAST_SCORE = 0.3


@dataclass
class Facts:
    """Counts over a pool.

    Args:
        classes: The student's.
        teachers: Their names.
        num_images: Of the pool, those that could be read.
        num_empty: Of those, without a label that teaches.
        kept: ``(C,)`` int, labels that teach, by class.
        ignored: ``(C,)`` int, boxes that are ignored, by class.
        histograms: By teacher and for 'fused', ``(BINS,)`` int of scores from 0 to 1.
        agreement: ``(T, T)`` share of one teacher's boxes, of classes that both know, on which
            another has a box of that class, in pictures that both predicted on; NaN where they
            share no class.
        names: Pairs of names on the same objects.
        num_sampled: Of how many pictures the last three are.
        owners_by_name: A line for each teacher that predicts some of its classes nowhere in the
            pool, others do.
        student_errors: Of the student's surest boxes, held against the labels that it learned
            from; see :func:`mmcompose.evaluation.error_kinds`. None without a student.
    """

    classes: tuple[str, ...]
    teachers: tuple[str, ...]
    num_images: int
    num_empty: int
    kept: NDArray[np.int64]
    ignored: NDArray[np.int64]
    histograms: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    agreement: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    names: list[CoOccurrence] = field(default_factory=list)
    num_sampled: int = 0
    owners_by_name: list[str] = field(default_factory=list)
    student_errors: Mapping[str, int] | None = None


def gather(
    composition: Composition,
    images: Sequence[Image],
    labels: PoolLabels | DetectionTable,
    student: Teacher | None = None,
) -> Facts:
    """Count what is in a pool's labels and, on a sample, in the teachers' predictions.

    Args:
        composition: Of which the labels are.
        images: The pool.
        labels: Of each picture.
        student: What has learned from them. Defaults to none.
    """
    classes = composition.classes
    kept, ignored = np.zeros((2, len(classes)), np.int64)
    # The order of a card's colors.
    names = (*composition.class_space.teachers, FUSED)
    scores: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    num_empty = 0
    readable = labels.readable()
    for row in progress(readable, 'counting labels', len(readable)):
        found = labels[row]
        teaching = found.kept()
        num_empty += not len(teaching)
        kept += np.bincount(teaching.labels, minlength=len(classes))
        ignored += np.bincount(found.labels[found.is_ignored], minlength=len(classes))
        scores[FUSED].append(found.scores)
    rows = _spread(readable, SAMPLE)
    tables = composition.predictions(images)
    predicted = [composition.teacher_detections(tables, images, row) for row in rows]
    for by_teacher, _ in predicted:
        for name, found in by_teacher.items():
            scores[name].append(found.scores)
    teachers = composition.class_space.teachers
    return Facts(
        classes,
        teachers,
        len(readable),
        num_empty,
        kept,
        ignored,
        {name: _histogram(parts) for name, parts in scores.items()},
        _agreement(teachers, [by_teacher for by_teacher, _ in predicted], composition),
        co_occurrences(predicted, composition.class_space.with_coarse),
        len(rows),
        composition.owners_by_name(images),
        None if student is None else _student_errors(student, images, labels),
    )


def _student_errors(
    student: Teacher, images: Sequence[Image], labels: PoolLabels | DetectionTable
) -> dict[str, int]:
    rows = _spread(labels.readable(), STUDENT_SAMPLE)
    found = []
    for row in progress(rows, 'student against labels', len(rows)):
        found += student.predict([images[row]])
        images[row].forget_pixels()
    return error_kinds(found, [labels[row] for row in rows])


def _spread(rows: Sequence[int], most: int) -> list[int]:
    """Return at most ``most`` of some rows, spread evenly over them."""
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), most)).round().astype(int)
    return [rows[each] for each in np.unique(chosen).tolist()]


def _histogram(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.int64]:
    values = np.concatenate(parts) if parts else np.zeros(0)
    return np.histogram(values, BINS, (0, 1))[0].astype(np.int64)


def _agreement(
    teachers: Sequence[str], predicted: Sequence[Mapping[str, Detections]], composition: Composition
) -> NDArray[np.float64]:
    owners = composition.class_space.with_coarse.owners
    confirmed, counted = np.zeros((2, len(teachers), len(teachers)))
    for by_teacher in predicted:
        sure = {n: found[found.scores >= _LEAST_SCORE] for n, found in by_teacher.items()}
        for one, first in enumerate(teachers):
            for two, second in enumerate(teachers):
                mine, others = sure[first], sure[second]
                if not (mine.asked and others.asked):
                    continue
                mine = mine[owners[mine.labels, two]]
                same = mine.labels[:, None] == others.labels
                near = iou(mine.boxes, others.boxes) >= _CONFIRMED_IOU
                confirmed[one, two] += (same & near).any(axis=1).sum()
                counted[one, two] += len(mine)
    with np.errstate(invalid='ignore'):
        return confirmed / counted
