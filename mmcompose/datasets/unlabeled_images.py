"""UnlabeledImages: the pool that the student learns from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from mmdet.datasets import BaseDetDataset

from mmcompose.datasets.image_folders import SUFFIXES, PassedOver, find_images, is_glob
from mmcompose.datasets.image_lists import key_of
from mmcompose.datasets.pool_summary import PoolSummary, summarize_pool
from mmcompose.registry import DATASETS
from mmcompose.structures import image_size
from mmcompose.structures.coco import read_coco
from mmcompose.structures.json_files import read_text
from mmcompose.utils import Mistakes, UserError, fault, no_file, no_folder, problem


@DATASETS.register_module()
class UnlabeledImages(BaseDetDataset):
    """Images without labels, from a folder, a glob, a list file or a COCO json.

    - ``data_prefix=dict(img='folder')``: every picture in the folder and its sub-folders.
    - ``data_prefix=dict(img='folder/*/left_*.jpg')``: every picture that matches.
    - ``ann_file='list.txt'``: a path a line, relative to ``data_prefix['img']``.
    - ``ann_file='coco.json'``: its images; its annotations, if any, are not read.

    Each picture's width and height are known without decoding it: from the json, or from the
    file's header.

    Args:
        ann_file: A list file (.txt) or a COCO json. Defaults to none: all of ``data_prefix``.
        data_prefix: Where the pictures are. Defaults to ``dict(img='')``.
        **kwargs: Of :class:`mmdet.datasets.BaseDetDataset`.
    """

    def __init__(
        self,
        ann_file: str = '',
        data_prefix: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        data_prefix = data_prefix or {'img': ''}
        if set(data_prefix) != {'img'}:
            raise UserError(
                problem(
                    'UnlabeledImages.data_prefix', data_prefix, "is not of the form dict(img='…')"
                )
            )
        if not (ann_file or data_prefix['img'] or kwargs.get('data_root')):
            raise UserError(fault('UnlabeledImages', 'give data_prefix=dict(img=…), or ann_file=…'))
        super().__init__(ann_file=ann_file, data_prefix=data_prefix, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the images with path, key, width and height, 0 where the header is unreadable.

        Raises:
            UserError: If there are none, a list is missing, or no picture is readable.
        """
        prefix = self.data_prefix['img']
        self.check()
        data_list = []
        passed_over, unreadable = PassedOver(), Mistakes()
        for number, (path, width, height) in enumerate(self._listed(passed_over)):
            if width is None or height is None:
                # One picture does not stop a pool; whoever decodes it finds out why.
                width, height = 0, 0
                with unreadable:
                    width, height = image_size(path)
            data_list.append(
                {
                    'img_id': number,
                    'img_path': path,
                    'key': key_of(path, prefix),
                    'width': width,
                    'height': height,
                    'instances': [],
                }
            )
        if len(unreadable.problems) == len(data_list):
            raise UserError(unreadable.problems[0])
        passed_over.tell(self.ann_file or prefix)
        return data_list

    def check(self) -> None:
        """Look whether there is a picture at all; opens none.

        Raises:
            UserError: If there is none, or a file is missing.
        """
        if next(self._listed(), None) is not None:
            return
        prefix = self.data_prefix['img']
        where = self.ann_file or prefix
        name = 'ann_file' if self.ann_file else 'data_prefix.img'
        kind = 'matches' if not self.ann_file and is_glob(prefix) else 'holds'
        expected = f'{kind} no picture (expected: {" ".join(SUFFIXES)})'
        raise UserError(problem(f'UnlabeledImages.{name}', where, expected))

    def summary(self) -> PoolSummary:
        """Return how many pictures there are, how large, and what was passed over; decodes none.

        Raises:
            UserError: If there is no pool.
        """
        self.check()
        passed_over = PassedOver()
        return summarize_pool(self._listed(passed_over), passed_over)

    def _listed(
        self, passed_over: PassedOver | None = None
    ) -> Iterator[tuple[str, int | None, int | None]]:
        prefix = self.data_prefix['img']
        local = '://' not in (self.ann_file or prefix)
        if self.ann_file and local and not os.path.isfile(self.ann_file):
            raise UserError(no_file('UnlabeledImages.ann_file', self.ann_file))
        if not self.ann_file:
            if local and not is_glob(prefix) and not os.path.isdir(prefix):
                raise UserError(no_folder('UnlabeledImages.data_prefix.img', prefix))
            for path in find_images(prefix, passed_over):
                yield path, None, None
        elif self.ann_file.endswith('.json'):
            for image in read_coco('UnlabeledImages.ann_file', self.ann_file, False).images:
                path = os.path.join(prefix, image['file_name'])
                yield path, image.get('width'), image.get('height')
        else:
            for line in read_text('UnlabeledImages.ann_file', self.ann_file).splitlines():
                if line.strip():
                    yield os.path.join(prefix, line.strip()), None, None
