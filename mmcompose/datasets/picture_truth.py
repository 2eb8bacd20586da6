"""PictureTruth: truth of some classes, for some of the pictures that teachers label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmdet.registry import DATASETS as MMDET_DATASETS
from mmengine.dataset import BaseDataset

from mmcompose.datasets.wrapping import change_sources, is_wrapper
from mmcompose.structures import Image
from mmcompose.structures.boxes import iou
from mmcompose.structures.name_matching import match_names
from mmcompose.utils import UserError, doubt, fault, log, problem

KEY = 'PseudoLabeledDataset.truth'


class PictureTruth:
    """What a labeled dataset knows of the pictures of a pool.

    Args:
        dataset: The config of a :class:`ClassSpaceDataset`, or of several in one.
        num_classes: How many classes the student has.
        iou_thr: A teacher's box that overlaps a true one more is dropped: the object has a name.
    """

    def __init__(self, dataset: Mapping[str, Any], num_classes: int, iou_thr: float) -> None:
        self._dataset: BaseDataset = MMDET_DATASETS.build(
            {**_with_all_pictures(dataset), 'lazy_init': True}
        )
        self._num_classes = num_classes
        self._iou_thr = iou_thr
        # By the picture's number in the pool, its number in the dataset.
        self._number: dict[int, int] = {}

    def match(self, images: Sequence[Image]) -> None:
        """Find out which picture of the pool is which of the dataset.

        The same path decides, and else the longest common end of path and key.

        Raises:
            UserError: If none is, or it is not known which.
        """
        self._dataset.full_init()
        infos = [self._dataset.get_data_info(number) for number in range(len(self._dataset))]
        by_path = {info['img_path']: number for number, info in enumerate(infos)}
        rest = [image.key for image in images if image.path not in by_path]
        same = {image.path for image in images} & set(by_path)
        named = match_names([path for path in by_path if path not in same], rest).entry_of
        for place, image in enumerate(images):
            path = image.path if image.path in same else named.get(image.key)
            if path is not None:
                self._number[place] = by_path[path]
        if not self._number:
            of_both = f'the first of the pool is {images[0].key!r}'
            if by_path:
                of_both += f', of the truth {next(iter(by_path))!r}'
            raise UserError(
                fault(KEY, f'none of its {len(by_path)} pictures is in the pool: {of_both}')
            )
        _check_sizes({images[place]: infos[number] for place, number in self._number.items()})
        log(f'{len(self._number)} of {len(images)} pictures have truth of some classes')

    def check_masks(self) -> None:
        """Check that some true instance can teach a student of masks.

        Raises:
            UserError: If there are some, and none has a mask.
        """
        infos = (self._dataset.get_data_info(number) for number in self._number.values())
        masked = ['mask' in each for info in infos for each in info['instances']]
        if masked and not any(masked):
            expected = (
                f'none of its {len(masked)} instances has a mask, but the pipeline loads masks '
                '(with_mask=True); leave it out, or train a student of boxes alone'
            )
            raise UserError(fault(KEY, expected))

    def covered(self, place: int) -> frozenset[int]:
        """Return the classes that the truth of a picture covers: none where it has no truth."""
        if place not in self._number:
            return frozenset()
        return self._covered(self._dataset.get_data_info(self._number[place]))

    def _covered(self, info: Mapping[str, Any]) -> frozenset[int]:
        return frozenset(info.get('covered_classes', range(self._num_classes)))

    def ruled(
        self, place: int, instances: list[dict[str, Any]]
    ) -> tuple[list[dict[str, Any]], frozenset[int]]:
        """Let the truth of a picture rule the classes that it covers.

        Args:
            place: The picture's number in the pool.
            instances: The teachers'.

        Returns:
            The true instances, then the teachers' of other classes in other places; and the
            classes covered.
        """
        if place not in self._number:
            return instances, frozenset()
        info = self._dataset.get_data_info(self._number[place])
        covered = self._covered(info)
        others = [each for each in instances if each['bbox_label'] not in covered]
        true = [each['bbox'] for each in info['instances'] if not each['ignore_flag']]
        if others and true:
            boxes = np.array([each['bbox'] for each in others], np.float32)
            highest = iou(boxes, np.array(true, np.float32)).max(axis=1)
            others = [each for each, of in zip(others, highest, strict=True) if of <= self._iou_thr]
        return [*info['instances'], *others], covered


def _with_all_pictures(config: Mapping[str, Any]) -> dict[str, Any]:
    """Let a dataset list the pictures without boxes, and the boxes that are to be ignored."""
    changed = dict(config)
    change_sources('truth', changed, lambda _, part: _with_all_pictures(part))
    return changed if is_wrapper(config) else {**changed, 'test_mode': True}


def _check_sizes(infos: Mapping[Image, Mapping[str, Any]]) -> None:
    """Compare pictures that can be read with the sizes that the truth lists.

    Raises:
        UserError: If one is of another size, which may be allowed.
    """
    differ = [
        (image, size)
        for image, info in infos.items()
        if image.width
        and None not in (size := (info.get('width'), info.get('height')))
        and size != (image.width, image.height)
    ]
    if differ:
        image, size = differ[0]
        expected = (
            f'is {image.width}x{image.height} pixels, in the truth {size[0]}x{size[1]} '
            f'({len(differ)} of {len(infos)} pictures differ)'
        )
        doubt('listed-sizes', problem(KEY, image.key, expected))
