"""Which names of two teachers lie on the same objects: suggestions for aliases and mappings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import LabelStream
from mmcompose.structures import iou

# Boxes of two teachers that overlap more than this are taken for one object.
SAME_OBJECT_IOU = 0.7


@dataclass(frozen=True)
class CoOccurrence:
    """Two classes whose boxes, of two teachers, lie on one another.

    Args:
        first: A student class, as one teacher predicts it.
        second: Another, as another teacher predicts it.
        count: How many pairs of boxes.
        share: Of the rarer one's boxes, in [0, 1].
        told_apart_by: Teachers that know both: to them at least they are two classes.
    """

    first: str
    second: str
    count: int
    share: float
    told_apart_by: tuple[str, ...] = ()


def co_occurrences(
    pool: LabelStream,
    space: ClassSpace,
    iou_thr: float = SAME_OBJECT_IOU,
    min_score: float = 0.3,
    min_count: int = 5,
) -> list[CoOccurrence]:
    """Count where teachers give one object two names.

    Args:
        pool: The teachers' detections of each image, before any fusion.
        space: The class space.
        iou_thr: Boxes that overlap more than this are one object. Defaults to 0.7.
        min_score: Boxes with a lower score are not looked at. Defaults to 0.3.
        min_count: Pairs that are seen less often are not listed. Defaults to 5.

    Returns:
        The pairs, most frequent first; a coarse class and a finer one below it are none.
    """
    together: Counter[tuple[int, int]] = Counter()
    seen: Counter[int] = Counter()
    for detections, _ in pool:
        scored = [found[found.scores >= min_score] for found in detections.values()]
        for number, found in enumerate(scored):
            seen.update(found.labels.tolist())
            for other in scored[:number]:
                rows, columns = np.nonzero(iou(found.boxes, other.boxes) > iou_thr)
                pairs = np.stack([found.labels[rows], other.labels[columns]], axis=1)
                pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
                together.update((int(first), int(second)) for first, second in pairs)
    found_pairs = []
    for (a, b), count in together.items():
        related = space.hierarchy.below[a, b] or space.hierarchy.below[b, a]
        if count >= min_count and not related:
            share = min(count / min(seen[a], seen[b]), 1.0)
            owners = space.owners[a] & space.owners[b]
            both = tuple(np.array(space.teachers)[owners].tolist())
            first, second = sorted((space.classes[a], space.classes[b]))
            found_pairs.append(CoOccurrence(first, second, count, share, both))
    return sorted(found_pairs, key=lambda pair: (-pair.count, pair.first, pair.second))
