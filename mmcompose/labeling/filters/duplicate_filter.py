"""Drop what is found twice."""

from __future__ import annotations

from mmcompose.labeling.base import ByTeacher, ImageContext, LabelTransform
from mmcompose.labeling.compute.near_boxes import first_of_each_place
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections
from mmcompose.utils import Fraction


@LABEL_TRANSFORMS.register_module()
class DuplicateFilter(LabelTransform):
    """Drop a box that overlaps a better one of its class.

    Detectors without a suppression of their own, as CenterNet, find one object several times; so
    does a fusion, of boxes that lie too far apart to be fused. May stand before a fusion, where
    each teacher's boxes are looked at by themselves, or after it.

    Args:
        iou_thr: Boxes that overlap at least this much are one object. Defaults to 0.5, by which
            labels are judged: of two such boxes one would be wrong.
        selects: Whether this is part of the choice of what the student learns from. Average
            precision gains by several boxes of one object, for the best of them may lie nearer
            than that with the best score; labels lose by them. Detectors are compared without
            such a step. Defaults to False.
    """

    def __init__(self, iou_thr: Fraction = 0.5, selects: bool = False) -> None:
        self.iou_thr = iou_thr
        self.selects = selects

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        return {name: self._once(found) for name, found in detections.items()}

    def _once(self, found: Detections) -> Detections:
        if len(found) < 2:
            return found
        found = found.sorted()
        return found[first_of_each_place(found.boxes, found.labels, self.iou_thr)]
