"""The protocol of the label pipeline: one class a step, one image at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.compute.state import State, concatenated
from mmcompose.structures import Detections

# The detections of every teacher in one image, in the student's classes; a fusion leaves one.
ByTeacher: TypeAlias = Mapping[str, Detections]

# The name of fused detections, and of the student among its teachers.
FUSED, STUDENT = 'fused', 'student'


def entry_names(class_space: ClassSpace) -> tuple[str, ...]:
    """Return under which names detections may come: the teachers', and that of fused ones."""
    return (*class_space.teachers, FUSED)


def who_predicted(detections: ByTeacher, class_space: ClassSpace) -> NDArray[np.bool_]:
    """Return ``(T,)`` bool: which teachers predicted on an image, be it nothing."""
    return np.array([detections.get(name, _NOTHING).asked for name in class_space.teachers])


@dataclass(frozen=True)
class ImageContext:
    """What a label transform may know of an image beside its boxes.

    Args:
        key: The image's key in its pool.
        width: Of the image, in pixels.
        height: Likewise.
        truth: The true boxes of a labeled image, in the student's classes; ``ignore`` marks crowd
            and difficult ones. None where nobody labeled it.
        cells: What each place of the picture looks like, boxes with ``features``, for steps that
            set :attr:`LabelTransform.features`; others do not rely on it. None where nobody looked.
        unasked: The teachers that did not predict on it, by number in ``class_space.teachers``.
    """

    key: str = ''
    width: int = 0
    height: int = 0
    truth: Detections | None = None
    cells: Detections | None = None
    unasked: tuple[int, ...] = ()

    def with_unasked(self, detections: ByTeacher, class_space: ClassSpace) -> ImageContext:
        """Return the context with those in ``unasked`` that did not predict."""
        if all(found.asked for found in detections.values()):
            return self
        numbers = np.flatnonzero(~who_predicted(detections, class_space)).tolist()
        return replace(self, unasked=tuple(sorted({*self.unasked, *numbers})))

    def num_owners(self, class_space: ClassSpace) -> NDArray[np.int64]:
        """Return ``(C,)`` int64: how many owners of each class predicted on the image."""
        owners = np.delete(class_space.owners, self.unasked, axis=1)
        counts: NDArray[np.int64] = owners.sum(axis=1)
        return counts


# What the label pipeline is shown of an image.
LabelInput: TypeAlias = tuple[ByTeacher, ImageContext]

# Images with their detections; each iteration is a fresh pass.
LabelStream: TypeAlias = Iterable[LabelInput]


class LabelTransform(ABC):
    """A step of the label pipeline.

    A filter, a fusion and the like write :meth:`apply` alone. A step that learns sets ``rounds``
    and writes :meth:`collect` and :meth:`learn` too, so that statistics can be collected where
    the images are, by any number of processes, and merged.

    Attributes:
        class_space: The student's classes and each class's owners; after them the coarse classes
            that only the hierarchy names (``ClassSpace.with_coarse``).
        weights: ``(T,)`` float64, how much each teacher's vote counts, in the order of
            ``class_space.teachers``.
        learned: What was learned, as plain values that are stored beside the labels.
    """

    # Counts up when the same input gives another result, so that stored labels are made anew.
    revision: int = 1
    # How many passes over the images it learns from; 0 where it learns nothing.
    rounds: int = 0
    # Whether what it collects is the same with any arguments, but for `right_iou_thr`.
    collects_alike: bool = False
    # From which overlap with a true box on it takes a box for right, if it learns from labeled
    # images; None where it learns from the pool.
    right_iou_thr: float | None = None
    # Whether it decides which boxes the student learns from, rather than where they are and what
    # they score: detectors are compared without.
    selects: bool = False
    # Whether it marks boxes that the student's loss leaves out.
    ignores: bool = False
    # Whether it sets how much each box counts in the student's loss.
    weighs: bool = False
    # The config dict of what looks at pictures to make `ImageContext.cells`; None where it does
    # not compare what they look like.
    features: Mapping[str, Any] | None = None

    class_space: ClassSpace
    weights: NDArray[np.float64]
    learned: Mapping[str, Any] = {}

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """Take over the classes and the teachers' weights, once before any image.

        Raises:
            UserError: If an argument, or what was learned, names a class or teacher that is not
                in the class space.
        """
        self.class_space, self.weights = class_space, weights

    @abstractmethod
    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """Transform the detections of one image.

        Args:
            detections: By teacher name, in the student's classes.
            image: The image that they are of.

        Returns:
            The same form. A fusion leaves one entry, ``'fused'``.
        """

    def collect(self, stream: LabelStream) -> State:
        """Return what there is to learn from some of the images.

        Args:
            stream: What the steps before this one make of them; iterated once.
        """
        raise NotImplementedError(f'{type(self).__name__} learns nothing')

    def merge(self, states: Sequence[State]) -> State:
        """Join what :meth:`collect` returned of parts, in the order of the images.

        Merging is associative. The default puts the rows of each array one after another.
        """
        return concatenated(states)

    def learn(self, state: State) -> None:
        """Learn from the merged state of all images, by :meth:`load_learned`.

        Between two rounds ``learned`` holds all that the next :meth:`collect` needs.
        """
        raise NotImplementedError(f'{type(self).__name__} learns nothing')

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """Set ``learned``, once the step is bound; an empty mapping forgets it."""
        assert self.rounds or not learned, f'{type(self).__name__} learns nothing'
        self.learned = learned

    def fit(self, stream: LabelStream) -> None:
        """Learn anew from images, all in this process.

        Args:
            stream: What the steps before this one make of them; iterated ``rounds`` times.
        """
        self.load_learned({})
        for _ in range(self.rounds):
            self.learn(self.merge([self.collect(stream)]))

    def describe_learned(self) -> list[str]:
        """Return what was learned in lines for a person; none where nothing was."""
        return []


_NOTHING = Detections()
