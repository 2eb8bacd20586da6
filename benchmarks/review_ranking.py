"""How early a ranking of pictures finds wrong labels, beside cleanlab's scores."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from planted import CLASSES, Planted, plant
from sklearn.metrics import average_precision_score

from mmcompose.evaluation import error_kinds
from mmcompose.reporting.ranking import doubts
from mmcompose.structures import Detections

PICTURES = 600
SEEDS = (0, 1, 2)


def average_precisions() -> dict[str, float]:
    """Return the mean average precision of finding pictures with a wrong label, by ranking.

    cleanlab compares labels with a model's predictions; here it gets each teacher's alone (the
    mean and the least of its scores count) and all of them together.
    """
    found: dict[str, list[float]] = {}
    for seed in SEEDS:
        pool = plant(PICTURES, seed)
        wrong = [_is_wrong(*pair) for pair in zip(pool.labels, pool.truth, strict=True)]
        for name, scores in _rankings(pool).items():
            found.setdefault(name, []).append(average_precision_score(wrong, scores))
    return {name: float(np.mean(values)) for name, values in found.items()}


def _is_wrong(labels: Detections, truth: Detections) -> bool:
    kinds = error_kinds([labels], [truth], as_many=False)
    return sum(kinds.values()) > kinds['right']


def _rankings(pool: Planted) -> dict[str, NDArray[np.float64]]:
    together = [Detections.concatenate(said.values()) for said in pool.predictions]
    alone = [
        _cleanlab(pool.labels, [said[name] for said in pool.predictions])
        for name in pool.predictions[0]
    ]
    return {
        'mmcompose': np.array(doubts(pool.labels, pool.owners)),
        'cleanlab, all teachers together': _cleanlab(pool.labels, together),
        'cleanlab, mean over teachers': np.mean(alone, axis=0),
        'cleanlab, least of teachers': np.max(alone, axis=0),
    }


def _cleanlab(
    labels: Sequence[Detections], predictions: Sequence[Detections]
) -> NDArray[np.float64]:
    """Return how likely cleanlab takes each picture's labels for wrong."""
    # It is installed out of everybody's sight; see requirements/reference.txt.
    folder = str(Path(sys.prefix) / 'reference')
    if folder not in sys.path:
        sys.path.append(folder)
    from cleanlab.object_detection.rank import get_label_quality_scores

    given = [{'bboxes': each.kept().boxes, 'labels': each.kept().labels} for each in labels]
    predicted = []
    for found in predictions:
        rows = np.empty(len(CLASSES), object)
        for label in range(len(CLASSES)):
            same = found[found.labels == label]
            rows[label] = np.hstack([same.boxes, same.scores[:, None]]).astype(np.float64)
        predicted.append(rows)
    return -np.asarray(get_label_quality_scores(given, predicted, verbose=False))
