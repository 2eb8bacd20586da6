"""What is wrong with a detector's boxes, and whether their scores can be believed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.datasets import truth_of
from mmcompose.evaluation.error_kinds import error_kinds
from mmcompose.labeling import calibration_error
from mmcompose.labeling.compute.matching import RIGHT, UNJUDGED, judge
from mmcompose.structures import Detections

BINS = 10


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a detector's boxes.

    Args:
        errors: How many are right, and of each kind of error; see :func:`error_kinds`.
        scores: ``(BINS,)`` mean score of the boxes in each tenth of [0, 1]; NaN without boxes.
        right: ``(BINS,)`` the share of those that are right; NaN likewise.
        calibration_error: The expected calibration error (Guo et al. 2017) of the scores.
    """

    errors: Mapping[str, int]
    scores: NDArray[np.float64]
    right: NDArray[np.float64]
    calibration_error: float


def diagnose(
    infos: Sequence[Mapping[str, Any]],
    found: Sequence[Detections],
    known: Collection[int],
    as_many: bool = True,
) -> Diagnosis:
    """Hold detections against the truth.

    Args:
        infos: Data infos of a labeled dataset, in the student's classes.
        found: Of the same images.
        known: The classes of the detector: of others it misses nothing.
        as_many: See :func:`error_kinds`. Defaults to True.
    """
    pairs = [_judged(info, each, known) for info, each in zip(infos, found, strict=True)]
    boxes, there = [each for each, _ in pairs], [each for _, each in pairs]
    verdicts = np.concatenate([judge(*pair) for pair in pairs] or [np.zeros(0, np.int8)])
    scores = np.concatenate([each.scores for each in boxes] or [np.zeros(0, np.float32)])
    scores, right = scores[verdicts != UNJUDGED], verdicts[verdicts != UNJUDGED] == RIGHT
    bin_of = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(bin_of, minlength=BINS)
    with np.errstate(invalid='ignore'):
        means = np.bincount(bin_of, scores, BINS) / counts
        shares = np.bincount(bin_of, right, BINS) / counts
    errors = error_kinds(boxes, there, as_many)
    return Diagnosis(errors, means, shares, calibration_error(scores, right))


def _judged(
    info: Mapping[str, Any], found: Detections, known: Collection[int]
) -> tuple[Detections, Detections]:
    """Return a picture's boxes and true boxes of the classes that are known and labeled."""
    truth = truth_of(info)
    covered = info.get('covered_classes')
    labels = sorted(set(known) if covered is None else set(known) & set(covered))
    found = replace(found.kept(), ignore=None)
    return found[np.isin(found.labels, labels)], truth[np.isin(truth.labels, labels)]
