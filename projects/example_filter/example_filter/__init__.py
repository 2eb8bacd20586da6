"""A filter that lives outside mmcompose: it drops unsure boxes that the border cuts."""

from mmcompose.labeling import ByTeacher, ImageContext, LabelTransform
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.utils import Fraction


@LABEL_TRANSFORMS.register_module()
class BorderFilter(LabelTransform):
    """Drop boxes that touch the image's border, unless they are sure.

    Args:
        min_score: In [0, 1]. Boxes with at least this score stay. Defaults to 0.5.
    """

    def __init__(self, min_score: Fraction = 0.5) -> None:
        self.min_score = min_score

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        kept = {}
        for name, found in detections.items():
            inside = (found.boxes[:, :2] > 0) & (found.boxes[:, 2:] < [image.width, image.height])
            kept[name] = found[inside.all(axis=1) | (found.scores >= self.min_score)]
        return kept
