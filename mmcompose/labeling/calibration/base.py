"""The protocol of a way to learn calibration curves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import LabelStream
from mmcompose.labeling.compute.curves import TeacherCurves
from mmcompose.labeling.compute.scored_boxes import collect_boxes
from mmcompose.labeling.compute.state import State, concatenated


class Calibration(ABC):
    """How curves of :class:`ScoreCalibration` are learned. Its constructor takes arguments."""

    # See `LabelTransform`.
    revision: int = 2
    right_iou_thr: float | None = None

    class_space: ClassSpace

    def bind(self, class_space: ClassSpace) -> None:
        """Take over the classes, once before any image.

        Raises:
            UserError: If an argument names a class that is not in the class space.
        """
        self.class_space = class_space

    def collect(self, stream: LabelStream) -> State:
        """See :meth:`LabelTransform.collect`. The default collects boxes with their scores."""
        return collect_boxes(stream, self.class_space, self.right_iou_thr)

    def merge(self, states: Sequence[State]) -> State:
        """See :meth:`LabelTransform.merge`."""
        return concatenated(states)

    @abstractmethod
    def curves(self, state: State) -> Mapping[str, TeacherCurves]:
        """Return the curves of each teacher; one that has none stays as it is.

        Args:
            state: What was collected of all images.

        Returns:
            ``{teacher: {'common': curve, 'classes': {class: curve}}}``.
        """
