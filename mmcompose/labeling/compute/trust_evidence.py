"""What the boxes of one image tell of who works there: which are confirmed by whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcompose.structures import Detections, iou

Floats = NDArray[np.float64]


class Evidence(NamedTuple):
    """A row for each box and each other teacher that is asked about it, R of them.

    Asked are the other owners of its class. Where there is none, all others are, for a box of any
    class: who does not know a boat may still take it for something, and something is there.

    Args:
        speakers: ``(R,)`` int64, whose box it is.
        others: ``(R,)`` int64, who could have confirmed it.
        scores: ``(R,)`` float32.
        alone: ``(R,)`` bool, whether the class has no other owner.
        confirmed: ``(R,)`` int64, 1 where the other has a box there, of the class unless
            ``alone``; 0 elsewhere.
        shares: ``(R,)`` float64, how much each counts. What two others say of one box is no
            more than one opinion of it, and n boxes of an image, which stand or fall together,
            count as the square root of n; those that stand ``alone`` are counted apart.
    """

    speakers: NDArray[np.int64]
    others: NDArray[np.int64]
    scores: NDArray[np.float32]
    alone: NDArray[np.bool_]
    confirmed: NDArray[np.int64]
    shares: Floats


def evidence_of(
    said: Sequence[Detections],
    heard: Sequence[Detections],
    owners: NDArray[np.bool_],
    iou_thr: float,
) -> Evidence:
    """Look for each teacher's boxes among those of the others.

    Args:
        said: What each of T teachers said.
        heard: By what it is confirmed: the same, or what was said elsewhere.
        owners: ``(T, C)`` bool, who owns which class.
        iou_thr: Boxes confirm each other if they overlap at least this much.
    """
    boxes, labels, speakers = _joined(said)
    their_boxes, their_labels, theirs = _joined(heard)
    near = iou(boxes, their_boxes) >= max(iou_thr, 1e-6)
    same = near & (labels[:, None] == their_labels[None, :])
    of_teacher = np.eye(len(owners), dtype=np.int64)[theirs]
    another = speakers[:, None] != np.arange(len(owners))
    asked = owners.T[labels] & owners[speakers, labels][:, None] & another
    alone = ~asked.any(axis=1)
    confirmed = np.where(alone[:, None], near, same) @ of_teacher > 0
    asked |= alone[:, None] & another
    rows, others = np.nonzero(asked)
    scores = np.concatenate([found.scores for found in said])
    shares = 1 / asked.sum(axis=1)[rows]
    kinds = np.ravel_multi_index(
        (alone[rows].astype(np.int64), speakers[rows], others), (2, len(owners), len(owners))
    )
    together = np.bincount(kinds, shares, kinds.max(initial=-1) + 1)[kinds]
    return Evidence(
        speakers[rows],
        others,
        scores[rows],
        alone[rows],
        confirmed[rows, others].astype(np.int64),
        shares / np.sqrt(np.maximum(together, 1)),
    )


def _joined(
    found: Sequence[Detections],
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Return boxes, labels, and whose each is."""
    return (
        np.concatenate([each.boxes for each in found]),
        np.concatenate([each.labels for each in found]),
        np.repeat(np.arange(len(found)), [len(each) for each in found]),
    )


class Elsewhere:
    """What each teacher said of each class in the last image in which it said anything of it.

    Its boxes of that image confirm those of this one by chance alone.
    """

    def __init__(self, teachers: int) -> None:
        self._last: list[dict[int, Detections]] = [{} for _ in range(teachers)]

    def swap(self, said: Sequence[Detections]) -> list[Detections]:
        """Return boxes of the same classes from elsewhere, and remember these.

        Args:
            said: What each teacher says of an image, boxes as shares of its width and height.
        """
        swapped = []
        for found, last in zip(said, self._last, strict=True):
            labels = np.unique(found.labels).tolist()
            swapped.append(Detections.concatenate([last[n] for n in labels if n in last]))
            last.update({label: found[found.labels == label] for label in labels})
        return swapped
