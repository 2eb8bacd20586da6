"""How far each teacher can be relied on, by how it agrees with the others; without a label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, LabelStream
from mmcompose.labeling.compute.image_trust import ImageTrust
from mmcompose.structures import Detections, iou

Floats = NDArray[np.float64]

# Pseudo-counts: so many boxes are enough to be heard, too few to be believed.
_FEW_AGREED, _FEW_SAID, _FEW_CLAIMED = 0.5, 1.0, 3.0
_RIDGE = 0.1
_DECIMALS = 4


def agreement_weights(
    pool: LabelStream,
    space: ClassSpace,
    iou_thr: float = 0.55,
    trust: ImageTrust | None = None,
    sharpness: float = 5.0,
) -> dict[str, float]:
    """Weigh teachers by the classes that they share.

    A power of the product of two figures of each teacher, both relative to the others.
    *Quality*: how well its boxes and another's agree is taken for a product of the qualities of
    both and of how hard the class is (the triplet method of weak supervision, Fu et al. 2020, by
    least squares in logarithms). Errors that are made together are not seen. Two teachers alone
    cannot be told apart by it. *Breadth*: how much it claims to see of a class, in units of its
    boxes that others confirm, so that the scale of its scores does not matter. A teacher that
    sees more has the louder voice and the weightier silence, unless what it sees agrees with
    nothing.

    Args:
        pool: The detections of each image.
        space: The class space.
        iou_thr: Boxes that overlap at least this much agree. Defaults to 0.55.
        trust: Agreement in an image counts as far as both teachers are trusted there. What they
            claim to see counts everywhere: one that sees little is often silent, which looks like
            failure. Defaults to all alike.
        sharpness: The power; 0 makes all weights 1. Defaults to 5.

    Returns:
        By teacher a weight in (0, 1], the largest 1; empty for an empty pool.
    """
    tally = _Tally(space, iou_thr)
    images = 0
    for detections, _ in pool:
        images += 1
        tally.count(detections, None if trust is None else trust.of(detections))
    if not images:
        return {}
    weights = (tally.quality() * tally.breadth()) ** sharpness
    weights = (weights / weights.max()).round(_DECIMALS).clip(10.0**-_DECIMALS)
    return dict(zip(tally.teachers, weights.tolist(), strict=True))


class _Tally:
    """Sums over the pool; T teachers by the alphabet, so that their order changes nothing."""

    def __init__(self, space: ClassSpace, iou_thr: float) -> None:
        self.teachers = sorted(space.teachers)
        self.order = np.argsort(space.teachers)
        self.owners = space.owners.T[self.order]
        self.iou_thr = iou_thr
        teachers, classes = self.owners.shape
        # Of each class the products of scores of agreeing boxes, and the squares of the first's
        # where both are trusted.
        self.agreed = np.zeros((teachers, teachers, classes))
        self.said = np.zeros((teachers, teachers, classes))
        # Squares of all scores: what a teacher claims, whether it is trusted there or not.
        self.claimed = np.zeros((teachers, classes))
        # What agreeing boxes score, squared and weighted by what the other one scores.
        self.confirmed = np.zeros(teachers)
        self.confirmers = np.zeros(teachers)

    def count(self, detections: ByTeacher, trust: Floats | None) -> None:
        found = [detections.get(name, Detections()) for name in self.teachers]
        trust = np.ones(len(found)) if trust is None else trust[self.order]
        both = np.outer(trust, trust)
        for row, said in enumerate(found):
            squares = np.bincount(
                said.labels, said.scores.astype(np.float64) ** 2, len(self.owners.T)
            )
            self.said[row] += both[row][:, None] * squares
            self.claimed[row] += squares
        for one, other in combinations(range(len(found)), 2):
            rows, columns = _agreeing(found[one], found[other], self.iou_thr)
            scores = found[one].scores[rows].astype(np.float64)
            others = found[other].scores[columns].astype(np.float64)
            trusted = both[one, other]
            np.add.at(self.agreed[one, other], found[one].labels[rows], trusted * scores * others)
            self.confirmed[one] += trusted * (scores**3 * others).sum()
            self.confirmed[other] += trusted * (scores * others**3).sum()
            self.confirmers[[one, other]] += trusted * (scores * others).sum()

    def quality(self) -> Floats:
        """Return ``(T,)``, the best 1."""
        return _effects(self._agreements(), len(self.teachers))

    def _agreements(self) -> Iterator[_Observation]:
        for one, other in combinations(range(len(self.teachers)), 2):
            for label in np.flatnonzero(self.owners[one] & self.owners[other]).tolist():
                agreed = self.agreed[one, other, label]
                said = self.said[[one, other], [other, one], label] + _FEW_SAID
                rate = (agreed + _FEW_AGREED) / np.sqrt(said.prod())
                yield (one, other), label, float(rate), float(np.sqrt(agreed + 1))

    def breadth(self) -> Floats:
        """Return ``(T,)``, the broadest 1."""
        return _effects(self._claims(), len(self.teachers))

    def _claims(self) -> Iterator[_Observation]:
        # What a confirmed box scores, squared; 1 for a teacher that nobody confirms.
        unit = np.divide(
            self.confirmed,
            self.confirmers,
            out=np.ones_like(self.confirmed),
            where=self.confirmers > 0,
        )
        for label in np.flatnonzero(self.owners.sum(axis=0) > 1).tolist():
            owners = np.flatnonzero(self.owners[:, label]).tolist()
            together = float(np.sqrt(self.claimed[owners, label].sum()))
            for teacher in owners:
                claimed = self.claimed[teacher, label] / unit[teacher] + _FEW_CLAIMED
                yield (teacher,), label, float(claimed), together


# Teachers, a class, a value above 0 and how much it counts.
_Observation = tuple[tuple[int, ...], int, float, float]


def _effects(observations: Iterable[_Observation], count: int) -> Floats:
    """Take values for products of an effect of each teacher and one of the class.

    Args:
        observations: The values; a class's effect enters once for each teacher.
        count: How many teachers there are.

    Returns:
        ``(T,)``, the teachers' effects over the largest; what nothing tells apart is alike.
    """
    listed = list(observations)
    labels = sorted({label for _, label, _, _ in listed})
    place = {label: count + number for number, label in enumerate(labels)}
    design = np.zeros((len(listed), count + len(labels)))
    for row, (teachers, label, _, _) in enumerate(listed):
        design[row, list(teachers)] = 1
        design[row, place[label]] = len(teachers)
    values = np.log([value for _, _, value, _ in listed])
    weighted = design * np.array([weight for *_, weight in listed])[:, None]
    ridge = np.diag([_RIDGE] * count + [1e-6] * len(labels))
    effects = np.linalg.solve(weighted.T @ design + ridge, weighted.T @ values)[:count]
    relative: Floats = np.exp(effects - effects.max())
    return relative


def _agreeing(
    first: Detections, second: Detections, iou_thr: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows of both whose boxes of one class overlap each other more than any other's."""
    if not len(first) or not len(second):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    overlaps = iou(first.boxes, second.boxes)
    overlaps[first.labels[:, None] != second.labels[None, :]] = 0
    rows = np.arange(len(first))
    columns = overlaps.argmax(axis=1)
    mutual = overlaps.argmax(axis=0)[columns] == rows
    agree = mutual & (overlaps[rows, columns] >= max(iou_thr, 1e-6))
    return rows[agree], columns[agree]
