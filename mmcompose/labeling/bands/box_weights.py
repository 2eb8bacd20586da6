"""Decide how much each pseudo-label counts in the student's loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.base import ByTeacher, ImageContext, LabelTransform
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections
from mmcompose.utils import Fraction, Positive, UserError, fault, problem

Reliability = Literal['score', 'votes', 'spread']


@LABEL_TRANSFORMS.register_module()
class BoxWeights(LabelTransform):
    """Weigh each box by how far it is to be trusted.

    - ``'score'``: its score. After :class:`ScoreCalibration` that is a learned reliability: the
      share of boxes like it that are right.
    - ``'votes'``: the share of the class's owners that found it, of those that predicted on the
      image.
    - ``'spread'``: the mean IoU of the cluster's boxes with the fused one, which shows how well
      it is placed (after Soft Teacher, Xu et al. 2021: boxes that move little are well placed).

    The weight is ``lowest + (1 - lowest) * reliability ** power``.

    Args:
        by: One of these, or several, whose product is taken. Defaults to ``'score'``.
        power: Above 1 separates sure and doubtful boxes further. Defaults to 1.
        lowest: The weight of a box that nothing supports. Defaults to 0.

    Raises:
        UserError: If ``by`` is empty; when applied, if 'votes' or 'spread' are named
            and no fusion went before.
    """

    revision = 2
    weighs = True

    def __init__(
        self,
        by: Reliability | Sequence[Reliability] = 'score',
        power: Positive = 1.0,
        lowest: Fraction = 0.0,
    ) -> None:
        self.by: tuple[str, ...] = (by,) if isinstance(by, str) else tuple(by)
        if not self.by:
            expected = f'is not one of {", ".join(_RELIABILITY)}, or several'
            raise UserError(problem('by', by, expected))
        self.power = power
        self.lowest = lowest

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        owners = image.num_owners(self.class_space)
        return {name: self._weighed(found, owners) for name, found in detections.items()}

    def _weighed(self, found: Detections, owners: NDArray[np.int64]) -> Detections:
        reliability = np.ones(len(found))
        for name in self.by:
            reliability *= _RELIABILITY[name](found, owners)
        weights = self.lowest + (1 - self.lowest) * reliability**self.power
        return replace(found, weights=weights.astype(np.float32))


def _score(found: Detections, owners: NDArray[np.int64]) -> NDArray[np.float64]:
    return found.scores.astype(np.float64)


def _votes(found: Detections, owners: NDArray[np.int64]) -> NDArray[np.float64]:
    if found.votes is None:
        raise UserError(fault('by', "'votes' are counted by a fusion; put BoxWeights after it"))
    counts = np.maximum(owners[found.labels], 1)
    # Under a hierarchy a box may have the vote of a teacher that knows only the coarser class.
    share: NDArray[np.float64] = np.minimum(found.votes.sum(axis=1) / counts, 1.0)
    return share


def _spread(found: Detections, owners: NDArray[np.int64]) -> NDArray[np.float64]:
    if found.spread is None:
        raise UserError(fault('by', "'spread' is measured by a fusion; put BoxWeights after it"))
    return np.clip(1.0 - found.spread.astype(np.float64), 0.0, 1.0)


_RELIABILITY: Mapping[str, Callable[[Detections, NDArray[np.int64]], NDArray[np.float64]]] = {
    'score': _score,
    'votes': _votes,
    'spread': _spread,
}
