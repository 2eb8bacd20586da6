"""How far each teacher can be relied on, by how it agrees with the others; without a label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.compute.agreement_sums import AgreementSums, sum_agreements
from mmcompose.labeling.compute.image_trust import ImageTrust
from mmcompose.labeling.compute.pool_arrays import PoolArrays
from mmcompose.labeling.compute.state import State

Floats = NDArray[np.float64]

# Pseudo-counts: so many boxes are enough to count, too few to decide.
_FEW_AGREED, _FEW_SEEN, _FEW_CLAIMED = 0.5, 1.0, 3.0
_RIDGE = 0.1
_DECIMALS = 4


def agreement_weights(
    sample: State,
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
    cannot be distinguished by it. *Breadth*: how much it claims to see of a class, in units of its
    boxes that others confirm, so that the scale of its scores does not matter. A teacher that
    sees more has the larger weight, where it predicts and where it does not, unless what it sees
    agrees with nothing.

    Args:
        sample: The detections of images; see
            :func:`mmcompose.labeling.compute.pool_sample.collect_sample`.
        space: The class space.
        iou_thr: Boxes that overlap at least this much agree. Defaults to 0.55.
        trust: Agreement in an image counts as far as both teachers are trusted there. What they
            claim to see counts everywhere: one that sees little is often silent, which looks like
            failure. Defaults to all alike.
        sharpness: The power; 0 makes all weights 1. Defaults to 5.

    Returns:
        By teacher a weight in (0, 1], the largest 1; empty without images.
    """
    pool = PoolArrays.of_sample(sample, space)
    if not pool.images:
        return {}
    # Where one did not predict, its silence and another's boxes tell nothing of the two.
    trusted: Floats = pool.asked.astype(np.float64)
    if trust is not None:
        trusted = trusted * trust.of_images(pool)
    sums = sum_agreements(pool, trusted, iou_thr)
    # Claims in as many images of each.
    claimed = sums.claimed * (pool.images / pool.asked.sum(axis=0).clip(1))[:, None]
    tally = _Tally(pool.owns, sums._replace(claimed=claimed))
    weights = (tally.quality() * tally.breadth()) ** sharpness
    weights = (weights / weights.max()).round(_DECIMALS).clip(10.0**-_DECIMALS)
    return dict(zip(sorted(space.teachers), weights.tolist(), strict=True))


class _Tally:
    """Observations of how teachers agree, from sums over images; T teachers by the alphabet."""

    def __init__(self, owns: NDArray[np.bool_], sums: AgreementSums) -> None:
        self.owns = owns
        self.sums = sums

    def quality(self) -> Floats:
        """Return ``(T,)``, the best 1."""
        return _effects(self._agreements(), len(self.owns))

    def _agreements(self) -> Iterator[_Observation]:
        for one, other in combinations(range(len(self.owns)), 2):
            for label in np.flatnonzero(self.owns[one] & self.owns[other]).tolist():
                agreed = self.sums.agreed[one, other, label]
                squares = self.sums.squares[[one, other], [other, one], label] + _FEW_SEEN
                rate = (agreed + _FEW_AGREED) / np.sqrt(squares.prod())
                yield (one, other), label, float(rate), float(np.sqrt(agreed + 1))

    def breadth(self) -> Floats:
        """Return ``(T,)``, the broadest 1."""
        return _effects(self._claims(), len(self.owns))

    def _claims(self) -> Iterator[_Observation]:
        # What a confirmed box scores, squared; 1 for a teacher that nobody confirms.
        unit = np.divide(
            self.sums.confirmed,
            self.sums.confirmers,
            out=np.ones_like(self.sums.confirmed),
            where=self.sums.confirmers > 0,
        )
        for label in np.flatnonzero(self.owns.sum(axis=0) > 1).tolist():
            owners = np.flatnonzero(self.owns[:, label]).tolist()
            together = float(np.sqrt(self.sums.claimed[owners, label].sum()))
            for teacher in owners:
                claimed = self.sums.claimed[teacher, label] / unit[teacher] + _FEW_CLAIMED
                yield (teacher,), label, float(claimed), together


# Teachers, a class, a value above 0 and how much it counts.
_Observation = tuple[tuple[int, ...], int, float, float]


def _effects(observations: Iterable[_Observation], count: int) -> Floats:
    """Take values for products of an effect of each teacher and one of the class.

    Args:
        observations: The values; a class's effect enters once for each teacher.
        count: How many teachers there are.

    Returns:
        ``(T,)``, the teachers' effects over the largest; what nothing distinguishes is alike.
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
