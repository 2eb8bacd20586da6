"""What a teacher's scores are worth, by how the others confirm its boxes; without a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.base import Pool
from mmcompose.labeling.compute.curves import Curve, anchored, calibrated, isotonic_curve
from mmcompose.structures import Detections, iou

Floats = NDArray[np.floating]

# The surest boxes, which are taken for right: those that hold this share of a teacher's scores.
_SUREST = 0.05
_ROUNDS = 10


class _Said(NamedTuple):
    """The boxes of classes that a teacher shares, N of them, and who confirms them.

    Args:
        scores: ``(N,)``.
        others: ``(N,)`` float64, how many other owners their classes have.
        matches: By each other teacher the scores ``(N,)`` of its best box of the class there, -1
            where it has none.
    """

    scores: NDArray[np.float32]
    others: NDArray[np.float64]
    matches: Mapping[str, NDArray[np.float32]]


def agreement_curves(pool: Pool, iou_thr: float = 0.5) -> dict[str, Curve]:
    """Return by teacher the chance that its box is right, as a rising curve of its score.

    A right box is confirmed as often as the others see an object, a wrong one next to never. So
    among boxes of one score the share of right ones is what is confirmed of them, over what is
    confirmed of the surest boxes, which are taken for right. A confirmation counts as far as the
    box that confirms is itself believed: curves are computed in turn until they agree, from the
    scores as they are. Mistakes that are made together are not seen. A teacher that shares no
    class has no curve.

    Args:
        pool: What the teachers say of each image, looked through once.
        iou_thr: Boxes of one class confirm each other if they overlap at least this much.
            Defaults to 0.5.
    """
    said = _said(pool, iou_thr)
    curves: dict[str, Curve] = {name: {'x': [0.0, 1.0], 'y': [0.0, 1.0]} for name in said}
    for _ in range(_ROUNDS):
        curves = {name: _curve(boxes, curves) for name, boxes in said.items()}
    return curves


def _curve(said: _Said, curves: Mapping[str, Curve]) -> Curve:
    believed = np.zeros(len(said.scores))
    for other in curves.keys() & said.matches.keys():
        scores = said.matches[other]
        believed += np.where(scores >= 0, calibrated(curves[other], scores), 0)
    believed /= said.others
    order = np.lexsort((believed, -said.scores))
    held = np.cumsum(said.scores[order], dtype=np.float64)
    surest = order[: 1 + int(np.searchsorted(held, _SUREST * held[-1]))]
    most = believed[surest].mean()
    if most <= 0:
        return {'x': [0.0, 1.0], 'y': [0.0, 1.0]}
    return anchored(isotonic_curve(said.scores, believed / most))


def _said(pool: Pool, iou_thr: float) -> dict[str, _Said]:
    scores: dict[str, list[Floats]] = {}
    others: dict[str, list[Floats]] = {}
    matches: dict[str, dict[str, list[Floats]]] = {}
    for detections, context in pool:
        space = context.class_space
        owned = dict(zip(space.teachers, space.owners.T, strict=True))
        for name in sorted(detections):
            count = sum(owns for other, owns in owned.items() if other != name)
            asked = np.where(owned[name], count, 0)
            shared = detections[name][asked[detections[name].labels] > 0]
            scores.setdefault(name, []).append(shared.scores)
            others.setdefault(name, []).append(asked[shared.labels])
            by_other = matches.setdefault(name, {})
            for other in sorted(owned):
                if other != name:
                    best = _best_there(shared, detections.get(other, Detections()), iou_thr)
                    by_other.setdefault(other, []).append(best)
    return {
        name: _Said(
            np.concatenate(parts),
            np.concatenate(others[name]).astype(np.float64),
            {other: np.concatenate(found) for other, found in matches[name].items()},
        )
        for name, parts in scores.items()
        if sum(map(len, parts))
    }


def _best_there(boxes: Detections, others: Detections, iou_thr: float) -> NDArray[np.float32]:
    """Return ``(N,)``: of each box the best score of another's of its class there, or -1."""
    if not len(boxes) or not len(others):
        return np.full(len(boxes), -1, np.float32)
    there = iou(boxes.boxes, others.boxes) >= max(iou_thr, 1e-6)
    there &= boxes.labels[:, None] == others.labels[None, :]
    best: NDArray[np.float32] = np.where(there, others.scores[None, :], -1).max(axis=1)
    return best.astype(np.float32)
