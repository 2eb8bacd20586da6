"""The protocol of the label pipeline: one class a step, one image at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.structures import Detections

# What every teacher said of one image, in the student's classes; a fusion leaves one entry.
ByTeacher: TypeAlias = Mapping[str, Detections]

# True boxes by image key, in the student's classes; `ignore` marks crowd and difficult ones.
Truth: TypeAlias = Mapping[str, Detections]

# What speaks after a fusion, and the student among its teachers.
FUSED, STUDENT = 'fused', 'student'


@dataclass(frozen=True)
class LabelContext:
    """What a label transform may know beside the boxes.

    Args:
        class_space: The student's classes and each class's owners; after them the coarse classes
            that only the hierarchy names (``ClassSpace.with_coarse``).
        weights: ``(T,)`` float64, how much each teacher's vote counts, in the order of
            ``class_space.teachers``.
        key: The image's key in its pool.
        width: Of the image, in pixels.
        height: Likewise.
    """

    class_space: ClassSpace
    weights: NDArray[np.float64]
    key: str = ''
    width: int = 0
    height: int = 0


Pool: TypeAlias = Iterable[tuple[ByTeacher, LabelContext]]


class LabelTransform(ABC):
    """A step of the label pipeline."""

    # Whether it learns from labelled images, by `fit_labelled`, and not from the pool.
    wants_truth: bool = False
    # From which overlap with a true box on it takes one for right, where `wants_truth`.
    right_iou_thr: float = 0.5
    # Whether it decides which boxes the student learns from, rather than where they are and what
    # they score: detectors are compared without.
    selects: bool = False
    # Whether it says how much each box counts in the student's loss.
    weighs: bool = False

    @property
    def ignores(self) -> bool:
        """Whether it marks boxes that the loss is to leave out."""
        return False

    @property
    def wants_pool(self) -> bool:
        """Whether it learns from the whole pool, by ``fit``."""
        return type(self).fit is not LabelTransform.fit and not self.wants_truth

    def check(self, class_space: ClassSpace) -> None:
        """Look up every name that the arguments hold, before any work starts.

        Raises:
            UserError: If a class or teacher is not in the class space.
        """

    def fit(self, pool: Pool) -> None:
        """Learn from the whole pool before the first ``apply``; most steps learn nothing.

        Args:
            pool: What the steps before this one made of each image. May be iterated more
                than once.
        """

    def fit_labelled(self, pool: Pool, truth: Truth) -> None:
        """Learn from labelled images, where ``wants_truth``.

        Args:
            pool: What the steps before this one made of the labelled images.
            truth: What is in them; images that are not listed are not looked at.
        """

    @property
    def learned(self) -> dict[str, Any]:
        """What was learned, as plain values that are stored beside the labels."""
        return {}

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """Take over what an earlier fit learned."""
        assert not learned, f'{type(self).__name__} learns nothing but was given {learned}'

    def describe_learned(self) -> list[str]:
        """Say what was learned in lines for a person; nothing where nothing was."""
        return []

    @abstractmethod
    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
        """Transform what was said of one image.

        Args:
            detections: By teacher name, in the student's classes.
            context: The image and the class space.

        Returns:
            The same form. A fusion leaves one entry, ``'fused'``.
        """
