"""Read corrections of any tool as boxes of the student's classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mmcompose.store.exports.corrections.coco import read_coco_corrections
from mmcompose.store.exports.corrections.cvat import read_cvat
from mmcompose.store.exports.corrections.label_studio import read_label_studio
from mmcompose.store.exports.corrections.marked import ARGUMENT, Marked
from mmcompose.store.exports.corrections.yolo import read_yolo
from mmcompose.structures import Detections, Image, Masks, as_masks, no_masks
from mmcompose.utils import UserError, problem, warn

READERS: Mapping[str, Callable[[str, Mapping[str, Image]], Iterator[Marked]]] = {
    'labelstudio': read_label_studio,
    'cvat': read_cvat,
    'coco': read_coco_corrections,
    'yolo': read_yolo,
}


def read_corrections(
    source: str, corrected: str, images: Sequence[Image], classes: Sequence[str]
) -> tuple[list[Image], list[Detections]]:
    """Read the pictures that somebody looked at, with what they marked there.

    A picture of Label Studio counts where it has an annotation that was not cancelled; of the
    others every picture of the file or folder.

    Args:
        source: 'labelstudio' (its JSON export), 'cvat' ("CVAT for images 1.1"), 'coco' or 'yolo'
            (the folder with ``labels/`` and ``data.yaml``).
        corrected: The file or folder.
        images: The pool.
        classes: The student's classes.

    Returns:
        The pictures, in the pool's order, and the boxes of each, of score 1; those that CVAT's
        attribute, COCO's ``iscrowd`` or Label Studio's note marks have ``ignore``, and those that
        have a ``segmentation`` in COCO a mask.

    Raises:
        UserError: If the file is none of that format, an entry of it is incomplete, a class is
            none of the student's, or a picture is not in the pool, there twice, or of another size.
    """
    if source not in READERS:
        raise UserError(problem('source', source, f'is not one of {", ".join(READERS)}', READERS))
    by_key = {image.key: image for image in images}
    found: dict[str, Detections] = {}
    rotated: list[str] = []
    others: list[str] = []
    lost: list[str] = []
    unmasked: list[str] = []
    for marked in READERS[source](corrected, by_key):
        image = by_key.get(marked.key)
        if image is None:
            raise UserError(problem(ARGUMENT, marked.key, 'is no picture of the pool', by_key))
        if image.key in found:
            raise UserError(problem(ARGUMENT, marked.key, f'is there twice, in {corrected}'))
        if marked.size is not None and marked.size != (image.width, image.height):
            both = '{:g}x{:g}, but the picture is {}x{} pixels'.format(
                *marked.size, image.width, image.height
            )
            raise UserError(problem(ARGUMENT, marked.key, f'is listed as {both}'))
        masks, mistakes = _masks(marked, image)
        unmasked += mistakes
        boxes = _boxes(marked, masks, classes)
        found[image.key] = boxes.clipped(image.width, image.height)
        lost += [marked.key] * (len(boxes) - len(found[image.key]))
        rotated += [marked.key] * marked.rotated
        others += marked.others
    _tell(rotated, f'of {corrected} are turned: the upright one around each is taken')
    _tell(lost, f'of {corrected} lie outside their picture, or have no area: left out')
    if unmasked:
        warn(
            f'{len(unmasked)} segmentations of {corrected} are no masks: their boxes have none '
            f'(e.g. in {unmasked[0]})'
        )
    if others:
        counts = ', '.join(f'{count} {kind}' for kind, count in Counter(others).most_common())
        warn(f'{len(others)} marks of {corrected} are no boxes and are left out: {counts}')
    seen = [image for image in images if image.key in found]
    return seen, [found[image.key] for image in seen]


def _masks(marked: Marked, image: Image) -> tuple[Masks | None, list[str]]:
    """Return the masks of the boxes, None if none has one, and what is wrong with others."""
    masks, mistakes = no_masks(len(marked.boxes)), []
    for row, given in enumerate(marked.segmentations):
        try:
            (masks[row],) = as_masks([given], image.width, image.height)
        except ValueError as error:
            mistakes.append(f'{image.key!r}: {error}')
    return None if all(mask is None for mask in masks) else masks, mistakes


def _boxes(marked: Marked, masks: Masks | None, classes: Sequence[str]) -> Detections:
    labels = {name: number for number, name in enumerate(classes)}
    for name in marked.names:
        if name not in labels:
            raise UserError(problem(ARGUMENT, name, 'is no class of the student', classes))
    numbers = [labels[name] for name in marked.names]
    boxes = Detections.from_arrays(marked.boxes, [1.0] * len(numbers), numbers, masks)
    return replace(boxes, ignore=np.array(marked.ignored, np.bool_))


def _tell(keys: Sequence[str], what: str) -> None:
    """Warn of boxes of some pictures."""
    if keys:
        warn(f'{len(keys)} boxes {what} (e.g. in {keys[0]!r})')
