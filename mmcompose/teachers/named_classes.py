"""The class names of a teacher, as its config gives them."""

from __future__ import annotations

from collections.abc import Sequence

from mmcompose.class_space import GivenNames, class_names
from mmcompose.utils import UserError, fault, problem


def named_classes(classes: str | GivenNames) -> tuple[str, ...]:
    """Return class names by label number, or those of a data set that MMDet knows, e.g. 'coco'.

    Raises:
        UserError: If MMDet knows no data set of that name; see also
            :func:`mmcompose.class_space.class_names`.
    """
    if isinstance(classes, str):
        from mmdet.datasets import CocoDataset
        from mmdet.evaluation import get_classes
        from mmdet.evaluation.functional.class_names import dataset_aliases

        known = [alias for aliases in dataset_aliases.values() for alias in aliases]
        if classes not in known:
            raise UserError(problem('classes', classes, 'is no data set that MMDet knows', known))
        # get_classes returns 'traffic_light', the data set and every checkpoint 'traffic light'.
        is_coco = classes in dataset_aliases['coco']
        classes = CocoDataset.METAINFO['classes'] if is_coco else get_classes(classes)
    return class_names(classes, 'classes')


def named_texts(texts: Sequence[str], classes: str | GivenNames | None) -> tuple[str, ...]:
    """Return what an open-vocabulary model looks for: its classes.

    Raises:
        UserError: If classes are given too, or there are no texts, or one is given twice.
    """
    if classes is not None:
        raise UserError(fault('classes', 'are the texts where texts are given; leave them out'))
    return class_names(texts, 'texts')
