"""How good pseudo-labels are, where the truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmcompose.evaluation import Scores
from mmcompose.labeling import calibration_error, judge
from mmcompose.labeling.compute.matching import RIGHT, UNJUDGED
from mmcompose.structures import Detections

IOU_THR = 0.5


@dataclass(frozen=True)
class KeptBoxes:
    """Figures of the boxes that a student would learn from.

    Args:
        precision: At IoU 0.5, the mean over classes that have a true box; a class of which
            nothing is kept counts as 0.
        recall: Likewise.
        f1: Likewise, the mean of the classes' own F1.
        calibration_error: Expected calibration error of the boxes' scores, NaN without boxes.
        boxes_per_image: How many are kept.
    """

    precision: float
    recall: float
    f1: float
    calibration_error: float
    boxes_per_image: float


@dataclass(frozen=True)
class Judged:
    """Boxes of some images, held against the truth.

    Args:
        scores: ``(N,)``; boxes that only match one to ignore are not among them.
        labels: ``(N,)``.
        right: ``(N,)`` bool. The most confident are matched first, so that a threshold takes
            nothing from the boxes above it.
        positives: ``(C,)``, how many true boxes there are.
        images: How many there are.
    """

    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    right: NDArray[np.bool_]
    positives: NDArray[np.int64]
    images: int

    @classmethod
    def of(cls, kept: Sequence[Detections], truth: Sequence[Detections], classes: int) -> Judged:
        """Judge the boxes of some images.

        Args:
            kept: Of each image; boxes to ignore are no labels and are left out.
            truth: Of the same images; boxes to ignore neither count nor cost.
            classes: How many the student has.
        """
        scores, labels, verdicts, true_labels = [], [], [], []
        for found, there in zip(kept, truth, strict=True):
            found = found.kept()
            verdict = judge(found, there, IOU_THR)
            judged = verdict != UNJUDGED
            scores.append(found.scores[judged])
            labels.append(found.labels[judged])
            verdicts.append(verdict[judged] == RIGHT)
            true_labels.append(there.kept().labels)
        return cls(
            np.concatenate(scores),
            np.concatenate(labels),
            np.concatenate(verdicts),
            np.bincount(np.concatenate(true_labels), minlength=classes),
            len(kept),
        )

    def kept(self, threshold: float = 0.0) -> KeptBoxes:
        """Return the figures of the boxes whose score reaches a threshold."""
        kept = self.scores >= threshold
        right, labels = self.right[kept], self.labels[kept]
        classes = len(self.positives)
        seen = self.positives > 0
        positives = self.positives[seen]
        hits = np.bincount(labels[right], minlength=classes)[seen]
        count = np.bincount(labels, minlength=classes)[seen]
        return KeptBoxes(
            precision=float((hits / np.maximum(count, 1)).mean()),
            recall=float((hits / positives).mean()),
            f1=float((2 * hits / (count + positives)).mean()),
            calibration_error=calibration_error(self.scores[kept], right),
            boxes_per_image=len(right) / max(self.images, 1),
        )


def best_owners(
    by_teacher: Mapping[str, Scores], owners_of: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return by class the owner with the best AP; of equal ones the first.

    Args:
        by_teacher: What each teacher reaches.
        owners_of: By class the names of its owners.
    """
    return {
        name: max(owners, key=lambda teacher: np.nan_to_num(by_teacher[teacher].by_class[name]))
        for name, owners in owners_of.items()
    }


def gain_by_owners(
    fused: Scores,
    by_teacher: Mapping[str, Scores],
    chosen: Mapping[str, str],
    owners_of: Mapping[str, Sequence[str]],
) -> dict[int, float]:
    """Return by number of owners how far the labels' AP is above that of the chosen owner.

    The mean over the classes with so many owners and a true box, in points (hundredths of AP).

    Args:
        fused: What the labels reach.
        by_teacher: What each teacher reaches on the same images.
        chosen: By class the owner to compare with; see :func:`best_owners`.
        owners_of: By class the names of its owners.
    """
    gains: dict[int, list[float]] = {}
    for name, owners in owners_of.items():
        gain = fused.by_class[name] - by_teacher[chosen[name]].by_class[name]
        if not np.isnan(gain):
            gains.setdefault(len(owners), []).append(100 * gain)
    return {count: float(np.mean(values)) for count, values in sorted(gains.items())}
