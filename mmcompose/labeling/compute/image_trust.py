"""How far each teacher can be relied on in one image, by how it agrees there with the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher
from mmcompose.labeling.compute.failure_mixture import failure_mixture, failures
from mmcompose.labeling.compute.pool_arrays import PoolArrays
from mmcompose.labeling.compute.state import State
from mmcompose.labeling.compute.trust_evidence import count_evidence, evidence_ratios

Floats = NDArray[np.float64]

# How these and the evidence are weighed was chosen on unlabeled photographs alone: by how well
# images in which a teacher had been spoiled were separated from the others.
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
    nobody predicts anything shows nothing: trust is then the share of images in which a teacher
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
        # The places of the class space's teachers among these.
        self._places = np.argsort(np.argsort(class_space.teachers))

    @classmethod
    def fit(cls, sample: State, space: ClassSpace, iou_thr: float = 0.55) -> ImageTrust | None:
        """Learn how often each teacher fails, and what shows it.

        Args:
            sample: The detections of images; see
                :func:`mmcompose.labeling.compute.pool_sample.collect_sample`.
            space: The class space.
            iou_thr: Boxes that overlap at least this much confirm each other. Defaults to 0.55.

        Returns:
            The trust; None without images.
        """
        pool = PoolArrays.of_sample(sample, space)
        if not pool.images:
            return None
        edges = _levels(pool)
        counts, chance = count_evidence(pool, sample['sizes'], edges, iou_thr)
        failing, ratios = failure_mixture(counts, chance)
        return cls(
            {
                'teachers': sorted(space.teachers),
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
        (trust,) = self.of_images(PoolArrays.of_image(detections, self._class_space))
        of_image: Floats = trust[self._places]
        return of_image

    def of_images(self, pool: PoolArrays) -> Floats:
        """Return ``(I, T)`` in [0, 1], teachers by the alphabet."""
        ratios = evidence_ratios(pool, self._edges, self._ratios, self._iou_thr)
        _, fails = failures(ratios, self.failing)
        trust: Floats = (1 - fails).clip(0, 1).round(_DECIMALS)
        return trust


def _levels(pool: PoolArrays) -> Floats:
    """Return ``(T, L - 1)``, the scores between each teacher's levels."""
    edges = np.ones((len(pool.owns), _LEVELS - 1))
    for row in range(len(edges)):
        ordered = np.sort(pool.scores[pool.teachers == row].astype(np.float64))
        sums = np.cumsum(ordered)
        if len(ordered) and sums[-1] > 0:
            cuts = np.searchsorted(sums, sums[-1] * np.arange(1, _LEVELS) / _LEVELS)
            edges[row] = ordered[cuts.clip(0, len(ordered) - 1)]
    return edges
