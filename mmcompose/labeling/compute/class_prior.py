"""How many boxes of each class an image has, by a labeled set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.compute.per_class import by_class
from mmcompose.structures import Detections
from mmcompose.structures.coco import read_coco
from mmcompose.utils import Range, UserError, problem

# By class name the mean number of boxes an image; or COCO jsons to count it in.
BoxesPerImage = Mapping[str, Annotated[float, Range(0)]] | Sequence[str]


def check_prior(boxes_per_image: BoxesPerImage) -> BoxesPerImage:
    """Return what is known of the classes' frequency.

    Raises:
        UserError: If it names neither a class nor a file.
    """
    if not boxes_per_image:
        raise UserError(problem('boxes_per_image', boxes_per_image, 'names no class and no file'))
    return boxes_per_image


def expected_boxes(counts: BoxesPerImage, class_space: ClassSpace) -> NDArray[np.float32]:
    """Return ``(C,)`` float32: how many boxes of each class an image should have.

    Raises:
        UserError: If a class is unknown, or a file no COCO json; if files label no box of these
            classes.
    """
    if not isinstance(counts, Mapping):
        files, counts = counts, box_counts_of_files(counts, class_space)
        if not any(counts.values()):
            expected = 'label no box of a class of the student; are aliases missing?'
            raise UserError(problem('boxes_per_image', list(files), expected))
    return by_class('boxes_per_image', 0.0, counts, class_space)


def box_counts(truth: Iterable[Detections], class_space: ClassSpace) -> dict[str, float]:
    """Return by class name the mean number of true boxes an image, those to ignore left out.

    What :class:`AdaptiveScoreFilter` takes as ``boxes_per_image``; the labeled images need not
    be of the pool, only of its kind.

    Args:
        truth: The true boxes of each image.
        class_space: The student's classes.
    """
    counts = np.zeros(len(class_space.classes))
    images = 0
    for there in truth:
        images += 1
        counts += np.bincount(there.kept().labels, minlength=len(counts))
    means = counts / max(images, 1)
    return dict(zip(class_space.classes, means.tolist(), strict=True))


def box_counts_of_files(files: Sequence[str], class_space: ClassSpace) -> dict[str, float]:
    """Return by class name the mean number of boxes an image, where a COCO json labels it.

    Args:
        files: COCO jsons, e.g. those that the teachers were trained on. A class counts only in
            the images of those files that have it among their categories, and not only to group
            others.
        class_space: The student's classes; a file's other classes are not counted.

    Raises:
        UserError: If a file is no COCO json.
    """
    boxes, images = np.zeros(len(class_space.classes)), np.zeros(len(class_space.classes))
    for file in files:
        truth = read_coco('boxes_per_image', file)
        names = {each['id']: each['name'] for each in truth.categories}
        groups = truth.root_categories
        labeled = class_space.index([name for name in names.values() if name not in groups])
        images[np.unique(labeled[labeled >= 0])] += len(truth.images)
        wanted = [a for a in truth.annotations if not (a.get('iscrowd') or a.get('ignore'))]
        labels = class_space.index([names[a['category_id']] for a in wanted])
        boxes += np.bincount(labels[labels >= 0], minlength=len(boxes))
    means = np.divide(boxes, images, out=np.zeros_like(boxes), where=images > 0)
    return dict(zip(class_space.classes, means.tolist(), strict=True))
