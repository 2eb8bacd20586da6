"""The images of any of MMDet's datasets, as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow.compute as pc
from mmengine.dataset import BaseDataset, ConcatDataset

from mmcompose.datasets.content_digests import digests_of_uncompressed
from mmcompose.datasets.pool_listing import Listed, listed_table
from mmcompose.datasets.unlabeled_images import UnlabeledImages
from mmcompose.store import ImageTable, digested, sized
from mmcompose.structures import image_size
from mmcompose.utils import UserError, fault


def images_of(dataset: BaseDataset) -> ImageTable:
    """List the images of any MMDet dataset; its labels are not looked at.

    Raises:
        UserError: If two of them have one key.
    """
    images = _images_of(dataset)
    if pc.count_distinct(images.keys).as_py() < len(images):
        ((twice, _),) = Counter(images.keys.to_pylist()).most_common(1)
        raise UserError(fault(f'{type(dataset).__name__}', f'image {twice!r} is listed twice'))
    return images


def _images_of(dataset: BaseDataset) -> ImageTable:
    if isinstance(dataset, UnlabeledImages):
        return dataset.images
    if isinstance(dataset, ConcatDataset):
        return ImageTable.join([_images_of(part) if isinstance(part, UnlabeledImages)
                                else _read(part, '') for part in dataset.datasets])  # fmt: skip
    prefixes = getattr(dataset, 'data_prefix', {})
    return _read(dataset, prefixes.get('img') or prefixes.get('img_path') or '')


def _read(dataset: BaseDataset, prefix: str) -> ImageTable:
    table = sized(listed_table(_infos(dataset), prefix), None, image_size)
    if (digest_of := digests_of_uncompressed(table)) is not None:
        table = digested(table, None, digest_of)
    return ImageTable.of_columns(table)


def _infos(dataset: BaseDataset) -> Iterator[Listed]:
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        # A picture whose header cannot be read is listed with no width and height but 0.
        yield Listed(info['img_path'], info.get('width'), info.get('height'), key=info.get('key'))
