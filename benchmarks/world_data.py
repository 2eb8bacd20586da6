"""The worlds of `worlds.py` as data: whose teachers label which pictures, in which classes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from world_teachers import CELLS, OF_ANOTHER_HEAD, SPECIALISTS, STRANGERS

from mmcompose.structures import Detections, Image

# fmt: off
VOC_CLASSES = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train',
    'tvmonitor',
)
VOC_A = (
    'bicycle', 'bus', 'car', 'cat', 'chair', 'diningtable', 'dog', 'horse', 'motorbike', 'person',
    'sofa', 'tvmonitor',
)
# fmt: on
DIGITS = tuple('0123456789')
# Of VOC's classes those that the generalist is not to know, as COCO spells them.
FORGOTTEN = ('airplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'cat', 'dining table')
ADDED = 'cat'
# Knows all classes of the strangers, as an open-vocabulary detector might: it finds less, and
# distinguishes what none of them does.
REFEREE = 'coco_224'


@dataclass(frozen=True)
class WorldSpec:
    """Teachers, and the pictures and classes that they are measured on.

    Args:
        teachers: Their names.
        classes: The student's.
        pool: How many pictures of each source; None for all.
        spoiled: The teacher whose boxes are random on half of the pictures in the variant.
        useless: The teacher that is added in the variant and knows no object of the pool.
        mapping: As ``composition.class_space.mapping``.
        share_nothing: Whether the default has to be better than every rival here.
    """

    teachers: tuple[str, ...]
    classes: tuple[str, ...]
    spoiled: str
    pool: Mapping[str, int | None] = field(default_factory=lambda: {'voc': None})
    useless: str = 'cells'
    mapping: Mapping[str, Any] = field(default_factory=dict)
    share_nothing: bool = False

    def with_useless(self) -> WorldSpec:
        """Return the variant with one teacher more, whose classes no picture holds."""
        added = USELESS_CLASSES[self.useless]
        teachers, classes = (*self.teachers, self.useless), (*self.classes, *added)
        return replace(self, teachers=teachers, classes=classes)


USELESS_CLASSES = {'cells': CELLS, 'digits_a': DIGITS[:6]}
_STRANGE = tuple(name for name in VOC_CLASSES if name != 'person')
_WITH_ATSS = tuple(f'{n}_atss' if n in OF_ANOTHER_HEAD else f'{n}_only' for n in SPECIALISTS)
_ADDED = tuple(
    name
    for name in VOC_CLASSES
    if name == ADDED
    or {'aeroplane': 'airplane', 'diningtable': 'dining table'}.get(name, name) not in FORGOTTEN
)
_FAR = WorldSpec(('voc_a', 'cells'), (*VOC_A, *CELLS), 'voc_a', useless='digits_a')

WORLDS: dict[str, WorldSpec] = {
    'strangers': WorldSpec(tuple(STRANGERS), _STRANGE, 'vehicles', share_nothing=True),
    'strangers and a referee': WorldSpec((*STRANGERS, REFEREE), _STRANGE, 'vehicles'),
    'specialists': WorldSpec(
        tuple(f'{name}_only' for name in SPECIALISTS), SPECIALISTS, 'car_only', share_nothing=True
    ),
    'specialists of two heads': WorldSpec(_WITH_ATSS, SPECIALISTS, 'dog_atss', share_nothing=True),
    'far strangers, 3:1': replace(_FAR, pool={'voc': 363, 'cells': 121}, share_nothing=True),
    'far strangers, 1:3': replace(_FAR, pool={'voc': 40, 'cells': 121}, share_nothing=True),
    'neighbours': WorldSpec(('voc_a', 'voc_b'), VOC_CLASSES, 'voc_a'),
    'neighbours and COCO': WorldSpec(('voc_a', 'voc_b', 'coco_416'), VOC_CLASSES, 'coco_416'),
    'protocol': WorldSpec(('voc_a', 'centernet'), VOC_CLASSES, 'centernet'),
    'two generalists': WorldSpec(('coco_224', 'centernet'), VOC_CLASSES, 'centernet'),
    'two generalists, 416 px': WorldSpec(('coco_416', 'centernet'), VOC_CLASSES, 'centernet'),
    'digits': WorldSpec(('digits_a', 'digits_b'), DIGITS, 'digits_a', {'digits': None}),
    'generalist and specialist': WorldSpec(
        ('coco_416', f'{ADDED}_only'),
        _ADDED,
        'coco_416',
        mapping={'coco_416': dict.fromkeys(FORGOTTEN)},
    ),
}


@dataclass(frozen=True)
class Pictures:
    """Pictures whose truth is known.

    Args:
        images: The pictures.
        truth: Of each the true boxes, in ``classes``; difficult ones and crowds with ``ignore``.
        classes: What is annotated.
    """

    images: list[Image]
    truth: list[Detections]
    classes: tuple[str, ...]

    @classmethod
    def read(cls, ann_file: Path, folder: Path, classes: tuple[str, ...]) -> Pictures:
        """Read a COCO annotation file, its pictures in its order.

        Args:
            ann_file: The file.
            folder: Of the pictures.
            classes: The order of the labels; the file's other classes are left out.
        """
        content = json.loads(ann_file.read_bytes())
        label_of = {
            each['id']: classes.index(each['name'])
            for each in content['categories']
            if each['name'] in classes
        }
        boxes_of: dict[int, list[Any]] = {each['id']: [] for each in content['images']}
        for box in content['annotations']:
            if box['category_id'] in label_of:
                boxes_of[box['image_id']].append(box)
        images = [
            Image(each['file_name'], str(folder / each['file_name']), each['width'], each['height'])
            for each in content['images']
        ]
        truth = [_truth(boxes_of[each['id']], label_of) for each in content['images']]
        return cls(images, truth, classes)

    def first(self, count: int | None) -> Pictures:
        """Return the first so many of the pictures; all where None."""
        return replace(self, images=self.images[:count], truth=self.truth[:count])


def _truth(boxes: list[Any], label_of: Mapping[int, int]) -> Detections:
    corners = np.array([box['bbox'] for box in boxes], np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return Detections(
        corners,
        np.ones(len(boxes), np.float32),
        np.array([label_of[box['category_id']] for box in boxes], np.int64),
        ignore=np.array([bool(box['iscrowd'] or box.get('ignore')) for box in boxes], np.bool_),
    )


@dataclass(frozen=True)
class Raw:
    """What one teacher predicts on the pictures of one source, in its own classes.

    Args:
        keys: Of the pictures.
        found: Of each picture the boxes; or what its places look like, with ``features``.
        classes: The teacher's.
    """

    keys: list[str]
    found: list[Detections]
    classes: tuple[str, ...]

    def save(self, path: Path) -> None:
        """Write a file that :meth:`load` reads; the boxes of picture i are from offset i on."""
        joined = Detections.concatenate(self.found)
        path.parent.mkdir(parents=True, exist_ok=True)
        looks = {} if joined.features is None else {'features': joined.features}
        np.savez_compressed(
            path,
            **looks,
            keys=np.array(self.keys),
            offsets=np.array([0, *accumulate(map(len, self.found))], np.int64),
            boxes=joined.boxes,
            scores=joined.scores,
            labels=joined.labels.astype(np.int16),
            classes=np.array(self.classes),
        )

    @classmethod
    def load(cls, path: Path) -> Raw:
        """Read what :meth:`save` wrote."""
        with np.load(path) as file:
            part: dict[str, NDArray[Any]] = dict(file)
        every = Detections.from_arrays(part['boxes'], part['scores'], part['labels'])
        every = replace(every, features=part.get('features'))
        ends = part['offsets'].tolist()
        found = [every[begin:end] for begin, end in pairwise(ends)]
        return cls(part['keys'].tolist(), found, tuple(part['classes'].tolist()))
