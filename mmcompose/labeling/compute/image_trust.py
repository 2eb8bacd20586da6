"""How far each teacher can be relied on in one image, by how it agrees there with the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, LabelStream
from mmcompose.labeling.compute.failure_mixture import failure_mixture, failures
from mmcompose.labeling.compute.trust_evidence import Elsewhere, Evidence, evidence_of
from mmcompose.structures import Detections

Floats = NDArray[np.float64]

# How these and the evidence are weighed was chosen on unlabelled photographs alone: by how well
# images in which a teacher had been spoiled were told from the others.
# Levels of score; each holds the same sum of a teacher's scores, so that their scale is nothing.
_LEVELS = 6
_DECIMALS = 4


class ImageTrust:
    """The chance that a teacher works in an image as it usually does.

    In an image where it fails, a teacher's boxes and those of the others meet by chance alone:
    its camera was turned, its weather is another. In the others, a box is confirmed as often as
    boxes of its level of score are. Of how many images the one holds, and of how many the other,
    is a mixture of two components for each teacher, fitted to the pool by expectation
    maximisation (Dempster, Laird, Rubin 1977); as in Dawid and Skene 1979, no truth is needed
    where observers check each other. Where nobody fails, next to none of the images falls to the
    second component, and trust is 1 throughout.

    Boxes of a class that nobody else owns are confirmed by boxes of any class. An image in which
    nobody says anything tells nothing: trust is then the share of images in which a teacher
    works. Of two teachers that contradict each other, either may have failed. At most two are
    taken to fail in one image.

    Args:
        learned: What :attr:`learned` returned.
        class_space: Of the same teachers.
    """

    def __init__(self, learned: Mapping[str, Any], class_space: ClassSpace) -> None:
        self.teachers: Sequence[str] = learned['teachers']
        self.failing = np.asarray(learned['failing'], np.float64)
        self._iou_thr = float(learned['iou_thr'])
        self._edges = np.asarray(learned['levels'], np.float64)
        self._ratios = np.asarray(learned['log_ratios'], np.float64)
        self._class_space = class_space
        self._owners = _owners(class_space)
        # The places of the class space's teachers among these.
        self._places = np.argsort(np.argsort(class_space.teachers))

    @classmethod
    def fit(cls, pool: LabelStream, space: ClassSpace, iou_thr: float = 0.55) -> ImageTrust | None:
        """Learn how often each teacher fails, and what tells it.

        Args:
            pool: The detections of each image; iterated twice.
            space: The class space.
            iou_thr: Boxes that overlap at least this much confirm each other. Defaults to 0.55.

        Returns:
            The trust; None for an empty pool.
        """
        teachers, owners = sorted(space.teachers), _owners(space)
        edges = _levels(pool, teachers)
        counts, chance = _counts(pool, teachers, owners, edges, iou_thr)
        if not len(counts):
            return None
        failing, ratios = failure_mixture(counts, chance)
        return cls(
            {
                'teachers': teachers,
                'iou_thr': iou_thr,
                'failing': failing.round(_DECIMALS).tolist(),
                'levels': edges.round(_DECIMALS).tolist(),
                'log_ratios': ratios.round(_DECIMALS).tolist(),
            },
            space,
        )

    @property
    def learned(self) -> dict[str, Any]:
        """``failing`` ``(T,)``, the share of images in which each of ``teachers`` fails.

        ``levels`` ``(T, L - 1)``, the scores between levels, and ``log_ratios``
        ``(T, T, 2, L, 2)``: by how much a box of one teacher, of a class that others own or that
        nobody else does, and of a level, which another teacher does not, or does, confirm is
        likelier where both work than by chance.
        """
        return {
            'teachers': list(self.teachers),
            'iou_thr': self._iou_thr,
            'failing': self.failing.tolist(),
            'levels': self._edges.tolist(),
            'log_ratios': self._ratios.tolist(),
        }

    def of(self, detections: ByTeacher) -> Floats:
        """Return ``(T,)`` in [0, 1], in the order of the class space's teachers.

        Args:
            detections: Of one image.
        """
        said = [detections.get(name, _NOTHING) for name in self.teachers]
        evidence = evidence_of(said, said, self._owners, self._iou_thr)
        each = self._ratios[_place(evidence, self._edges)]
        ratios = np.zeros((1, len(said), len(said)))
        np.add.at(ratios[0], (evidence.speakers, evidence.others), each * evidence.shares)
        _, fails = failures(ratios, self.failing)
        trust: Floats = (1 - fails[0, self._places]).clip(0, 1).round(_DECIMALS)
        return trust


_NOTHING = Detections()


def _owners(space: ClassSpace) -> NDArray[np.bool_]:
    """Return ``(T, C)``, teachers by the alphabet, so that their order changes nothing."""
    return space.owners.T[np.argsort(space.teachers)]


def _levels(pool: LabelStream, teachers: Sequence[str]) -> Floats:
    """Return ``(T, L - 1)``, the scores between each teacher's levels."""
    scores: list[list[NDArray[np.float32]]] = [[] for _ in teachers]
    for detections, _ in pool:
        for name, parts in zip(teachers, scores, strict=True):
            parts.append(detections.get(name, _NOTHING).scores)
    edges = np.ones((len(teachers), _LEVELS - 1))
    for row, parts in enumerate(scores):
        ordered = np.sort(np.concatenate([*parts, np.zeros(0)]))
        sums = np.cumsum(ordered)
        if len(ordered) and sums[-1] > 0:
            cuts = np.searchsorted(sums, sums[-1] * np.arange(1, _LEVELS) / _LEVELS)
            edges[row] = ordered[cuts.clip(0, len(ordered) - 1)]
    return edges


def _place(evidence: Evidence, edges: Floats) -> tuple[NDArray[np.int64], ...]:
    """Return where each row counts, in ``(T, T, 2, L, 2)``."""
    above = evidence.scores[:, None] >= edges[evidence.speakers].astype(np.float32)
    kinds = evidence.alone.astype(np.int64)
    return evidence.speakers, evidence.others, kinds, above.sum(axis=1), evidence.confirmed


def _counts(
    pool: LabelStream,
    teachers: Sequence[str],
    owners: NDArray[np.bool_],
    edges: Floats,
    iou_thr: float,
) -> tuple[NDArray[np.float32], Floats]:
    """Count boxes by what :func:`_place` tells; those confirmed by chance over all.

    Returns:
        ``(N, T, T, 2, L, 2)`` of N images, and ``(T, T, 2, L, 2)``.
    """
    shape = (len(teachers), len(teachers), 2, _LEVELS, 2)
    counts: list[NDArray[np.float32]] = []
    chance = np.zeros(shape)
    elsewhere = Elsewhere(len(teachers))
    for detections, image in pool:
        size = np.array([image.width, image.height] * 2, np.float32)
        said = [detections.get(name, _NOTHING) for name in teachers]
        said = [Detections(found.boxes / size, found.scores, found.labels) for found in said]
        counts.append(np.zeros(shape, np.float32))
        for heard, count in ((said, counts[-1]), (elsewhere.swap(said), chance)):
            rows = evidence_of(said, heard, owners, iou_thr)
            np.add.at(count, _place(rows, edges), rows.shares)
    return np.stack(counts) if counts else np.zeros((0, *shape), np.float32), chance
