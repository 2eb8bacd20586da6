"""MMDet's CocoDataset on files read by the one reader of COCO files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO

from mmcompose.datasets.subset_rows import subset_rows
from mmcompose.structures import image_size
from mmcompose.structures.coco import read_coco
from mmcompose.utils import Mistakes, UserError, doubt, log, problem

KEY = 'ClassSpaceDataset.dataset.ann_file'
_INDICES = 'ClassSpaceDataset.dataset.indices'
# How many pictures' headers are read when truth is loaded: each run does it again.
_SAMPLE = 500


class CheckedCOCO(COCO):
    """pycocotools' index of a file that :func:`mmcompose.structures.coco.read_coco` reads.

    Args:
        annotation_file: Path of a COCO json. Defaults to None: nothing is listed.
    """

    def __init__(self, annotation_file: str | None = None) -> None:
        super().__init__()
        if annotation_file is not None:
            # Whether any are needed, ClassSpaceDataset has checked.
            self.dataset = read_coco(KEY, annotation_file, annotations=None).content
            self.createIndex()
            self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs


class CheckedCocoDataset(CocoDataset):
    """MMDet's CocoDataset, for files of others than COCO's makers.

    MMDet passes over boxes whose ``area`` is 0, and raises where it, or an image's size, is
    missing. Here the box's area counts, and the size is read from the picture.
    """

    COCOAPI = CheckedCOCO

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the images, and log how many boxes MMDet leaves out."""
        self._num_left_out = 0
        data_list: list[dict[str, Any]] = super().load_data_list()
        self._check_sizes(data_list)
        if self._num_left_out:
            log(
                f'{self.ann_file}: {self._num_left_out} boxes under one pixel, outside their '
                'picture or to be ignored are left out'
            )
        return data_list

    @property
    def may_leave_out(self) -> bool:
        """Whether images of the file are left out, by ``filter_cfg`` or ``indices``."""
        # MMDet filters nothing that is tested on.
        return self._indices is not None or bool(self.filter_cfg and not self.test_mode)

    def filter_data(self) -> list[dict[str, Any]]:
        """Leave images out, as MMDet does.

        Raises:
            UserError: If none is left, or ``indices`` leave none of them.
        """
        left: list[dict[str, Any]] = super().filter_data()
        if not left:
            left_by = f' that filter_cfg={self.filter_cfg} leaves' if self.filter_cfg else ''
            expected = f'has no image{left_by}'
            raise UserError(problem(KEY, self.ann_file, expected))
        if self._indices is not None and not len(subset_rows(self._indices, len(left), _INDICES)):
            raise UserError(problem(_INDICES, self._indices, f'leave no image of {self.ann_file}'))
        return left

    def _check_sizes(self, data_list: Sequence[Mapping[str, Any]]) -> None:
        """Compare some pictures with the size that they are listed with: boxes are of that.

        Raises:
            UserError: If one is of another size, which may be allowed.
        """
        some = data_list[:: max(len(data_list) // _SAMPLE, 1)]
        for info in some:
            listed = f'{info["width"]}x{info["height"]}'
            # Whoever decodes one that is missing or unreadable finds out why.
            with Mistakes():
                width, height = image_size(info['img_path'])
                if listed != (own := f'{width}x{height}'):
                    break
        else:
            return
        expected = f'lists {info["img_path"]} as {listed}, but the picture is {own} pixels'
        doubt('listed-sizes', problem(KEY, self.ann_file, expected))

    def parse_data_info(self, raw_data_info: dict[str, Any]) -> dict[str, Any]:
        """Return an image's data info."""
        image = raw_data_info['raw_img_info']
        if image.get('width') is None or image.get('height') is None:
            path = os.path.join(self.data_prefix['img'], image['file_name'])
            image['width'], image['height'] = image_size(path)
        info: dict[str, Any] = super().parse_data_info(raw_data_info)
        annotations = raw_data_info['raw_ann_info']
        wanted = sum(each['category_id'] in self.cat2label for each in annotations)
        self._num_left_out += wanted - len(info['instances'])
        return info


class CocoTruth(CheckedCocoDataset):
    """The same to evaluate on: what the file marks to be ignored is listed as such, not left out.

    MMDet leaves annotations out that are marked ``ignore``, as VOC's difficult objects: whoever
    finds one then finds nothing, and is punished. Here they have an ``ignore_flag``, so that
    CocoMetric scores as pycocotools does on the file itself.
    """

    def parse_data_info(self, raw_data_info: dict[str, Any]) -> dict[str, Any]:
        """Return an image's data info, each box to be ignored flagged."""
        annotations = [
            {**each, 'ignore': 0, 'iscrowd': 1} if each.get('ignore') else each
            for each in raw_data_info['raw_ann_info']
        ]
        return super().parse_data_info({**raw_data_info, 'raw_ann_info': annotations})
