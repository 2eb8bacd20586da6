"""What teachers predict in a sample of a pool, the same sample however the pool was split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import LabelInput, LabelStream
from mmcompose.labeling.compute.sampling import in_hash_order, key_hash, thinned
from mmcompose.labeling.compute.state import State
from mmcompose.structures import Detections

# A sample ends where it has so many images, or so many boxes.
MOST_IMAGES, MOST_BOXES = 16_384, 4_194_304
# While a stream is read, so many images more are held before they are thinned out.
_HELD = 4_096
_PER_IMAGE = ('hashes', 'sizes', 'counts', 'asked')


def collect_sample(stream: LabelStream, class_space: ClassSpace) -> State:
    """Return the images of a stream that are in the sample, with their detections.

    Returns:
        ``hashes`` ``(I,)`` uint64, ``sizes`` ``(I, 2)``, the images' width and height, ``counts``
        ``(I, T)``, how many boxes each teacher has there, ``asked`` ``(I, T)`` bool, whether it
        predicted there; then of all boxes in that order
        ``boxes`` ``(N, 4)``, ``scores`` ``(N,)`` and ``labels`` ``(N,)``.
    """
    kept = _state([], class_space)
    held: list[LabelInput] = []
    for each in stream:
        held.append(each)
        if len(held) == _HELD:
            kept, held = merge_samples([kept, _state(held, class_space)]), []
    return merge_samples([kept, _state(held, class_space)])


def _state(images: Sequence[LabelInput], class_space: ClassSpace) -> State:
    found = [
        detections.get(name, _NOTHING) for detections, _ in images for name in class_space.teachers
    ]
    counts = [len(each) for each in found]
    asked = [each.asked for each in found]
    return {
        'hashes': np.array([key_hash(image.key) for _, image in images], np.uint64),
        'sizes': np.array([(i.width, i.height) for _, i in images], np.int32).reshape(-1, 2),
        'counts': np.array(counts, np.int32).reshape(-1, len(class_space.teachers)),
        'asked': np.array(asked, np.bool_).reshape(-1, len(class_space.teachers)),
        'boxes': np.concatenate([_NOTHING.boxes, *(each.boxes for each in found)]),
        'scores': np.concatenate([_NOTHING.scores, *(each.scores for each in found)]),
        'labels': np.concatenate([_NOTHING.labels, *(each.labels for each in found)]).astype(
            np.int32
        ),
    }


def merge_samples(states: Sequence[State]) -> State:
    """Return the sample of all images of which samples are given, in their order."""
    return thinned(states, _PER_IMAGE, MOST_BOXES, MOST_IMAGES)


def sorted_by_hash(state: State) -> State:
    """Return a sample in an order that has nothing to do with that of the pool."""
    return in_hash_order(state, _PER_IMAGE)


_NOTHING = Detections()
