"""The detections of many images as flat arrays, which compiled code goes through."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher
from mmcompose.labeling.compute.state import State
from mmcompose.structures import Detections


class PoolArrays(NamedTuple):
    """N boxes of T teachers in I images, image by image and teacher by teacher.

    Teachers stand by the alphabet, so that their order in a config changes nothing.

    Args:
        boxes: ``(N, 4)`` float32, xyxy in pixels.
        scores: ``(N,)`` float32.
        labels: ``(N,)`` int64.
        starts: ``(I * T + 1,)`` int64, where the boxes of each image and teacher begin.
        owns: ``(T, C)`` bool, which teacher owns which class.
        asked: ``(I, T)`` bool, who predicted on which image, be it nothing.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    starts: NDArray[np.int64]
    owns: NDArray[np.bool_]
    asked: NDArray[np.bool_]

    @property
    def images(self) -> int:
        """How many images there are."""
        return (len(self.starts) - 1) // len(self.owns)

    @property
    def teachers(self) -> NDArray[np.int64]:
        """``(N,)`` int64, whose box each is."""
        return np.repeat(np.tile(np.arange(len(self.owns)), self.images), np.diff(self.starts))

    @classmethod
    def of_image(cls, detections: ByTeacher, space: ClassSpace) -> PoolArrays:
        """Return the detections of one image."""
        found = [detections.get(name, _NOTHING) for name in sorted(space.teachers)]
        return cls(
            np.concatenate([each.boxes for each in found]),
            np.concatenate([each.scores for each in found]),
            np.concatenate([each.labels for each in found]),
            np.cumsum([0, *(len(each) for each in found)]),
            ownership(space),
            np.array([[each.asked for each in found]]),
        )

    @classmethod
    def of_sample(cls, state: State, space: ClassSpace) -> PoolArrays:
        """Return the images of :func:`mmcompose.labeling.compute.pool_sample.collect_sample`."""
        teachers = len(space.teachers)
        order = np.argsort(space.teachers)
        counts = state['counts'][:, order]
        ends = np.cumsum(state['counts']).reshape(-1, teachers)
        begins = (ends - state['counts'])[:, order].reshape(-1)
        starts = np.concatenate([[0], np.cumsum(counts)])
        rows = np.repeat(begins - starts[:-1], counts.reshape(-1)) + np.arange(starts[-1])
        return cls(
            state['boxes'][rows],
            state['scores'][rows],
            state['labels'][rows].astype(np.int64),
            starts,
            ownership(space),
            state['asked'][:, order],
        )


def ownership(space: ClassSpace) -> NDArray[np.bool_]:
    """Return ``(T, C)`` bool: which teacher owns which class, teachers by the alphabet."""
    return np.ascontiguousarray(space.owners.T[np.argsort(space.teachers)])


_NOTHING = Detections()
