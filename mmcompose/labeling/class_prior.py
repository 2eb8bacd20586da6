"""How many boxes of each class an image has, by a labelled set."""

from __future__ import annotations

import numpy as np

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import Truth


def box_counts(truth: Truth, class_space: ClassSpace) -> dict[str, float]:
    """Return by class name the mean number of true boxes an image, those to ignore left out.

    What :class:`AdaptiveScoreFilter` takes as ``boxes_per_image``; the labelled images need not
    be of the pool, only of its kind.
    """
    counts = np.zeros(len(class_space.classes))
    for there in truth.values():
        labels = there.labels if there.ignore is None else there.labels[~there.ignore]
        counts += np.bincount(labels, minlength=len(counts))
    means = counts / max(len(truth), 1)
    return dict(zip(class_space.classes, means.tolist(), strict=True))
