"""UnlabeledImages: the pool that the student learns from."""

from __future__ import annotations

import contextlib
import copy
import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from mmdet.datasets import BaseDetDataset

from mmcompose.datasets.content_digests import digest_of_any, digests_of_uncompressed
from mmcompose.datasets.image_folders import SUFFIXES, PassedOver, find_files, is_glob
from mmcompose.datasets.pool_listing import Listed, listed_table
from mmcompose.datasets.pool_summary import PoolSummary, summarize_pool
from mmcompose.datasets.subset_rows import subset_rows
from mmcompose.registry import DATASETS
from mmcompose.store import (
    UNKNOWN,
    DigestOf,
    ImageTable,
    LabelStore,
    PoolIndex,
    digested,
    sized,
)
from mmcompose.structures import image_size
from mmcompose.structures.coco import read_coco
from mmcompose.structures.json_files import read_text
from mmcompose.utils import Mistakes, UserError, allowing, doubt, fault, no_file, no_folder, problem

_INDICES = 'UnlabeledImages.indices'


@DATASETS.register_module()
class UnlabeledImages(BaseDetDataset):
    """Images without labels, from a folder, a glob, a list file or a COCO json.

    - ``data_prefix=dict(img='folder')``: every picture in the folder and its sub-folders.
    - ``data_prefix=dict(img='folder/*/left_*.jpg')``: every picture that matches.
    - ``ann_file='list.txt'``: a path a line, relative to ``data_prefix['img']``.
    - ``ann_file='coco.json'``: its images; its annotations, if any, are not read.

    Each picture's width and height are known without decoding it: from the file's header, with
    which those in a json are compared once. That of a URL is read once, and what is at the URL is
    taken for the same as long as ``digest`` is not set.

    Args:
        ann_file: A list file (.txt) or a COCO json. Defaults to none: all of ``data_prefix``.
        data_prefix: Where the pictures are. Defaults to ``dict(img='')``.
        index: A label store in which sizes of pictures are kept, so that each is opened once.
            :class:`PseudoLabeledDataset` sets its own. Defaults to none.
        digest: Whether a digest of its content belongs to a picture's address, beside its key,
            its size and that of its file: so that another picture in its place is noticed even
            where all of these are the same. Each file is read for it, once, and again when it was
            changed; at each start where its storage does not tell when that was, as of URLs in a
            list. Defaults to None: that of files on this machine that may not be compressed
            (BMP, PPM, TIFF and the like), of which those of one size have as many bytes whatever
            they show.
        allow: Names of checks whose finds are warnings; likewise.
        **kwargs: Arguments of :class:`mmdet.datasets.BaseDetDataset`.
    """

    # MMEngine's, which ships no types.
    _fully_initialized: bool

    def __init__(
        self,
        ann_file: str = '',
        data_prefix: dict[str, str] | None = None,
        index: str | None = None,
        digest: bool | None = None,
        allow: Sequence[str] = (),
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
        self._index = index
        self._digest = digest
        self._allow = list(allow)
        self._images: ImageTable | None = None
        super().__init__(ann_file=ann_file, data_prefix=data_prefix, **kwargs)
        if 'classes' in self._metainfo:
            self._metainfo['classes'] = tuple(self._metainfo['classes'])

    def full_init(self) -> None:
        """List the images with path, key, width and height, 0 where the header is unreadable.

        Raises:
            UserError: If there are none, a list is missing, or no picture is readable.
        """
        if self._fully_initialized:
            return
        with allowing(self._allow):
            images = self._list_images()
        if self._indices is not None:
            images = images.take(subset_rows(self._indices, len(images), _INDICES))
        self._images, self._fully_initialized = images, True

    @property
    def images(self) -> ImageTable:
        """The images, in the order of the dataset."""
        self.full_init()
        assert self._images is not None
        return self._images

    def _list_images(self) -> ImageTable:
        prefix = self.data_prefix['img']
        list_file = self.ann_file if os.path.isfile(self.ann_file) else None
        index = self._pool_index
        if index is not None and list_file is not None:
            images = index.unchanged(list_file)
            if images is not None:
                return images
        passed_over, unreadable = PassedOver(), Mistakes()
        table = listed_table(self._listed(passed_over), prefix)
        if not len(table):
            raise self._empty()

        def size_of(path: str) -> tuple[int, int]:
            # One picture does not stop a pool; whoever decodes it finds out why.
            with unreadable:
                return image_size(path)
            return 0, 0

        def check(found: pa.Table) -> bool:
            if len(unreadable.problems) == len(found):
                raise UserError(unreadable.problems[0])
            return not self._sizes_differ(table, found)

        if index is None:
            found = sized(table, None, size_of, trusts_list=False)
            check(found)
            if (digest_of := self._digests(table)) is not None:
                found = digested(found, None, digest_of)
            images = ImageTable.of_columns(found)
        else:
            images = index.update(table, size_of, list_file, check, self._digests(table))
        passed_over.tell(self.ann_file or prefix)
        return images

    def _digests(self, listed: pa.Table) -> DigestOf | None:
        """Return what makes digests of the pictures, None where none has any."""
        if self._digest is None:
            return digests_of_uncompressed(listed)
        return digest_of_any if self._digest else None

    def _sizes_differ(self, listed: pa.Table, found: pa.Table) -> bool:
        """Return whether pictures are of other sizes than they are listed with.

        Raises:
            UserError: If they are, which may be allowed.
        """
        names = ('width', 'height')
        given, own = (np.stack([t.column(n).to_numpy() for n in names]) for t in (listed, found))
        # One that cannot be read has none.
        differ = np.flatnonzero(((given != own) & (given != UNKNOWN) & (own > 0)).any(axis=0))
        if not len(differ):
            return False
        row = int(differ[0])
        path = os.fsdecode(found.column('path')[row].as_py())
        expected = (
            f'lists {len(differ)} of {len(found)} pictures with another size than their file has: '
            f'{path} is {own[0, row]}x{own[1, row]} pixels, and listed as '
            f'{given[0, row]}x{given[1, row]}'
        )
        if (given[:, row] == own[::-1, row]).all():
            expected += ', as before its EXIF orientation turns it'
        doubt('listed-sizes', problem('UnlabeledImages.ann_file', self.ann_file, expected))
        return True

    @property
    def _pool_index(self) -> PoolIndex | None:
        if self._index is None:
            return None
        source: dict[str, Any] = {'ann_file': self.ann_file, 'prefix': self.data_prefix['img']}
        if self._digest is not None:
            source['digest'] = self._digest
        return LabelStore(self._index).pool_index(source)

    def __len__(self) -> int:
        return len(self.images)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return an image's path, key, width and height; ``instances`` is empty."""
        # Not `or`, which takes the length of a table.
        images = self.images if self._images is None else self._images
        if idx < 0:
            idx += len(images)
        key, path, width, height = images.plain_row(idx)
        return {
            'img_id': idx,
            'img_path': path,
            'key': key,
            'width': width,
            'height': height,
            'instances': [],
            'sample_idx': idx,
        }

    def get_subset_(self, indices: Sequence[int] | int) -> None:
        """See :meth:`mmengine.dataset.BaseDataset.get_subset_`."""
        self._images = self.images.take(subset_rows(indices, len(self.images), _INDICES))

    def get_subset(self, indices: Sequence[int] | int) -> UnlabeledImages:
        """See :meth:`mmengine.dataset.BaseDataset.get_subset`."""
        self.full_init()
        subset = copy.copy(self)
        subset.get_subset_(indices)
        return subset

    def check(self) -> None:
        """Look whether there is a picture at all; opens none.

        Raises:
            UserError: If there is none, or a file is missing.
        """
        if next(self._listed(), None) is None:
            raise self._empty()

    def first(self, count: int) -> ImageTable:
        """Return the first images that are listed; opens no other, however many there are.

        Args:
            count: How many.

        Raises:
            UserError: If a list or folder is missing.
        """
        table = listed_table(islice(self._listed(), count), self.data_prefix['img'])
        return ImageTable.of_columns(sized(table, None, _size_of, trusts_list=False))

    def _empty(self) -> UserError:
        prefix = self.data_prefix['img']
        where = self.ann_file or prefix
        name = 'ann_file' if self.ann_file else 'data_prefix.img'
        kind = 'matches' if not self.ann_file and is_glob(prefix) else 'holds'
        expected = f'{kind} no picture (expected: {" ".join(SUFFIXES)})'
        return UserError(problem(f'UnlabeledImages.{name}', where, expected))

    def summary(self) -> PoolSummary:
        """Return how many pictures there are, how large, and what was passed over; decodes none.

        Raises:
            UserError: If there is no pool.
        """
        self.check()
        passed_over = PassedOver()
        listed = ((one.path, one.width, one.height) for one in self._listed(passed_over))
        return summarize_pool(listed, passed_over)

    def _listed(self, passed_over: PassedOver | None = None) -> Iterator[Listed]:
        prefix = self.data_prefix['img']
        local = '://' not in (self.ann_file or prefix)
        if self.ann_file and local and not os.path.isfile(self.ann_file):
            raise UserError(no_file('UnlabeledImages.ann_file', self.ann_file))
        if not self.ann_file:
            if local and not is_glob(prefix) and not os.path.isdir(prefix):
                raise UserError(no_folder('UnlabeledImages.data_prefix.img', prefix))
            for found in find_files(prefix, passed_over):
                yield Listed(found.path, num_bytes=found.num_bytes, modified=found.modified)
        elif self.ann_file.lower().endswith('.json'):
            for image in read_coco('UnlabeledImages.ann_file', self.ann_file, False).images:
                path = os.path.join(prefix, image['file_name'])
                yield Listed(path, image.get('width'), image.get('height'))
        else:
            text = read_text('UnlabeledImages.ann_file', self.ann_file)
            # Names may hold what else str.splitlines takes for the end of a line.
            for line in re.split(r'\r\n|\n|\r', text):
                if line.strip():
                    yield Listed(os.path.join(prefix, line.strip()))


def _size_of(path: str) -> tuple[int, int]:
    # One picture does not stop a pool; whoever decodes it finds out why.
    with contextlib.suppress(UserError):
        return image_size(path)
    return 0, 0
