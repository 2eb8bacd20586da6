"""What boxes look like in a sample of a pool, the same sample however the pool was split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, LabelStream
from mmcompose.labeling.compute.appearance import box_features, picture_features
from mmcompose.labeling.compute.half_precision import in_half
from mmcompose.labeling.compute.sampling import key_hash, thinned
from mmcompose.labeling.compute.state import State
from mmcompose.structures import Detections

# A sample ends where it has so many boxes: means and a covariance of some hundred numbers are
# known well by then, and its features take 60 MB.
MOST_BOXES = 65_536
# While a stream is read, so many boxes more are held before they are thinned out.
_HELD = 65_536
_PER_IMAGE = ('hashes', 'counts', 'pictures')


def votes_of(name: str, found: Detections, class_space: ClassSpace) -> NDArray[np.bool_]:
    """Return ``(N, T)``: who found each box, after a fusion or before it."""
    if found.votes is not None:
        return found.votes
    votes = np.zeros((len(found), len(class_space.teachers)), np.bool_)
    if name in class_space.teachers:
        votes[:, class_space.teachers.index(name)] = True
    else:
        votes |= class_space.owners[found.labels]
    return votes


def collect_appearance(stream: LabelStream, class_space: ClassSpace) -> State:
    """Return what the boxes and pictures of a sample look like.

    Returns:
        Of I images ``hashes`` ``(I,)``, ``counts`` of boxes ``(I,)`` and ``pictures`` ``(I, D)``;
        of their N boxes in that order ``boxes`` ``(N, 4)``, ``features`` ``(N, D)``, ``scores``,
        ``labels`` and ``votes`` ``(N, T)``.
    """
    kept: State | None = None
    held: list[State] = []
    count = 0
    for detections, image in stream:
        if image.cells is None or not len(image.cells):
            continue
        held.append(_state(image.key, image.cells, detections, class_space))
        count += len(held[-1]['scores'])
        if count >= _HELD:
            kept, held, count = merge_appearance([*([kept] if kept else []), *held]), [], 0
    parts = [*([kept] if kept else []), *held]
    return merge_appearance(parts) if parts else {}


def _state(key: str, cells: Detections, detections: ByTeacher, space: ClassSpace) -> State:
    # Nothing comes of nobody's detections.
    every = [('', Detections()), *detections.items()]
    votes = [votes_of(name, found, space) for name, found in every]
    columns = [(found.boxes, found.scores, found.labels) for _, found in every]
    boxes, scores, labels = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return {
        'hashes': np.array([key_hash(key)], np.uint64),
        'counts': np.array([len(boxes)]),
        'pictures': in_half(picture_features(cells)[None]),
        'boxes': boxes,
        'features': in_half(box_features(cells, boxes)),
        'scores': scores,
        'labels': labels.astype(np.int32),
        'votes': np.concatenate(votes),
    }


def merge_appearance(states: Sequence[State]) -> State:
    """Return the sample of all images of which samples are given, in their order."""
    states = [state for state in states if state]
    if not states:
        return {}
    return thinned(states, _PER_IMAGE, MOST_BOXES)
