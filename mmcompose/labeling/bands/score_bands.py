"""Decide which fused boxes teach, which are left out of the loss, and which are dropped."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, ImageContext, LabelTransform
from mmcompose.labeling.compute.near_boxes import cover_half
from mmcompose.labeling.compute.per_class import by_class
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections
from mmcompose.utils import Fraction, UserError, check_keys, problem

Band = Mapping[str, Fraction]


@LABEL_TRANSFORMS.register_module()
class ScoreBands(LabelTransform):
    """Keep confident boxes, ignore doubtful ones, drop the rest.

    A box of the ignore band is no target, and no background either. An ignore box that covers
    a kept one is dropped: MMDet's assigners blank the anchors under ignore boxes before they
    assign, so it would erase the kept one.

    Args:
        keep: Boxes with at least this score are targets.
        ignore: Boxes with at least this score, but less than ``keep``, are ignored. Defaults
            to ``keep``: no ignore band.
        per_class: By class name another ``dict(keep=..., ignore=...)``; what it leaves out is as
            for all classes, but no ``ignore`` above its ``keep``.

    Raises:
        UserError: If a band has another key, or an ``ignore`` above its ``keep``.
    """

    selects = True

    def __init__(
        self,
        keep: Fraction,
        ignore: Fraction | None = None,
        per_class: Mapping[str, Band] | None = None,
    ) -> None:
        self.keep, self.ignore = _band('', keep, ignore)
        self.keep_of: dict[str, float] = {}
        self.ignore_of: dict[str, float] = {}
        for name, band in (per_class or {}).items():
            key = f'per_class.{name}'
            if problems := check_keys(key, band, ['keep', 'ignore']):
                raise UserError(*problems)
            own_keep = band.get('keep', self.keep)
            # With `keep` alone, the band's lower edge moves down with it where it must.
            own_ignore = band.get('ignore', min(self.ignore, own_keep))
            self.keep_of[name], self.ignore_of[name] = _band(f'{key}.', own_keep, own_ignore)

        self.ignores = self.ignore < self.keep or self.ignore_of != self.keep_of

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """See :meth:`LabelTransform.bind`."""
        super().bind(class_space, weights)
        self._keep = by_class('per_class', self.keep, self.keep_of, class_space)
        self._ignore = by_class('per_class', self.ignore, self.ignore_of, class_space)

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        return {
            name: banded_by(found, self._keep, self._ignore) for name, found in detections.items()
        }


def _band(key: str, keep: float, ignore: float | None) -> tuple[float, float]:
    ignore = keep if ignore is None else ignore
    if ignore > keep:
        raise UserError(problem(f'{key}ignore', ignore, f'is not in [0, keep], keep = {keep}'))
    return keep, ignore


def banded_by(
    found: Detections, keep: NDArray[np.float32], ignore: NDArray[np.float32]
) -> Detections:
    """Return the boxes of both bands, ``ignore`` set, none that would erase a kept one.

    Args:
        found: Boxes of one image.
        keep: ``(C,)``, by class the score from which a box is kept.
        ignore: ``(C,)``, from which it is ignored.
    """
    found = found[found.scores >= ignore[found.labels]]
    found = found.with_fields(ignore=found.scores < keep[found.labels])
    return found[~covers_a_kept_box(found)]


def covers_a_kept_box(found: Detections) -> NDArray[np.bool_]:
    """Return ``(N,)``: ignore boxes that cover at least half of a kept box's area."""
    ignored = found.is_ignored
    covers = np.zeros(len(found), np.bool_)
    rows = ignored.nonzero()[0]
    if 0 < len(rows) < len(found):
        covers[rows] = cover_half(found.boxes[rows], found.boxes[~ignored])
    return covers
