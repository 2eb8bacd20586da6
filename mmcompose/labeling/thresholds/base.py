"""The protocol of a way to learn a threshold."""

from __future__ import annotations

from abc import ABC, abstractmethod

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.compute.scored_boxes import ScoredBoxes


class Threshold(ABC):
    """Where to cut the scores of a class. Its constructor takes arguments of the step."""

    # See `LabelTransform`.
    revision: int = 1
    right_iou_thr: float | None = None
    # Whether a class with few boxes takes the threshold that all classes together would get.
    needs_boxes: bool = True
    # Whether part of it is a fixed score, whatever the scale of the scores.
    has_fixed_score: bool = False

    class_space: ClassSpace

    def bind(self, class_space: ClassSpace) -> None:
        """Take over the classes, once before any image.

        Raises:
            UserError: If an argument names a class that is not in the class space.
        """
        self.class_space = class_space

    @abstractmethod
    def threshold(self, boxes: ScoredBoxes, label: int | None) -> float:
        """Return the score from which boxes are kept.

        Args:
            boxes: Those of one class, at least one of them where ``needs_boxes``; or of all.
            label: The class; None for all.
        """
