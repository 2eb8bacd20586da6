"""How much pseudo-labels changed from one round to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from mmcompose.labeling.compute.matching import RIGHT, judge
from mmcompose.structures import Detections


@dataclass(frozen=True)
class LabelChange:
    """Boxes of two rounds, counted over a pool.

    Args:
        kept: How many boxes teach, before and after.
        ignored: How many are ignored, before and after.
        same: How many of those after were there before, in the same class and band.
    """

    kept: tuple[int, int]
    ignored: tuple[int, int]
    same: int

    @property
    def changed(self) -> float:
        """The fraction of boxes without a partner in the other round (1 minus Dice); in [0, 1]."""
        total = sum(self.kept) + sum(self.ignored)
        return 1 - 2 * self.same / total if total else 0.0


def label_change(
    pairs: Iterable[tuple[Detections, Detections]], iou_thr: float = 0.5
) -> LabelChange:
    """Compare the labels of the images of a pool.

    Args:
        pairs: Of each image its labels before and after.
        iou_thr: A box is the same where it overlaps one of its class and band this much.
            Defaults to 0.5.
    """
    counts = np.zeros((2, 2), np.int64)
    same = 0
    for before, after in pairs:
        for band in (False, True):
            old, new = _band(before, band), _band(after, band)
            counts[int(band)] += len(old), len(new)
            same += int((judge(new, old, iou_thr) == RIGHT).sum())
    kept, ignored = counts.tolist()
    return LabelChange((kept[0], kept[1]), (ignored[0], ignored[1]), same)


def _band(labels: Detections, ignored: bool) -> Detections:
    # Without the flag: an ignored box is compared like any other.
    return replace(labels[labels.is_ignored == ignored], ignore=None)
