"""The images of any of MMDet's datasets, as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from mmengine.dataset import BaseDataset, ConcatDataset

from mmcompose.datasets.content_digests import digests_of_uncompressed
from mmcompose.datasets.pool_listing import Listed, listed_table
from mmcompose.datasets.unlabeled_images import UnlabeledImages
from mmcompose.store import ImageTable, digested, sized
from mmcompose.store.image_table import stored_key
from mmcompose.structures import image_size
from mmcompose.utils import UserError, fault


def images_of(dataset: BaseDataset) -> ImageTable:
    """List the images of any MMDet dataset; its labels are not looked at.

    Raises:
        UserError: If two of them have one key.
    """
    return _checked(_images_of(dataset), type(dataset).__name__)


def join_pools(pools: Sequence[ImageTable]) -> ImageTable:
    """Return the images of several pools as one list, those of one key told apart.

    Raises:
        UserError: If two of them are one file.
    """
    return _checked(_told_apart(ImageTable.join(pools)), 'train_dataloader.dataset')


def _checked(images: ImageTable, key: str) -> ImageTable:
    if not _are_distinct(images):
        name, path, *_ = images.plain_row(_rows_of_one_key(images.keys.to_pylist())[0])
        expected = f'image {name!r} is listed twice, the file {path!r}; list it once'
        raise UserError(fault(key, expected))
    return images


def _images_of(dataset: BaseDataset) -> ImageTable:
    if isinstance(dataset, UnlabeledImages):
        return dataset.images
    if isinstance(dataset, ConcatDataset):
        parts = [_images_of(part) if isinstance(part, UnlabeledImages)
                 else _read(part, '') for part in dataset.datasets]  # fmt: skip
        return _told_apart(ImageTable.join(parts))
    prefixes = getattr(dataset, 'data_prefix', {})
    return _read(dataset, prefixes.get('img') or prefixes.get('img_path') or '')


def _told_apart(images: ImageTable) -> ImageTable:
    """Return the images of several folders; those of one key have their folders' names before it.

    So many names, the same for all of them, that no key is there twice; all where files are.
    """
    if _are_distinct(images):
        return images
    keys: list[str] = images.keys.to_pylist()
    paths = {row: stored_key(images.plain_row(row)[1]) for row in _rows_of_one_key(keys)}
    deepest = max(path.count('/') for path in paths.values())
    for _ in range(deepest):
        for row, path in paths.items():
            keys[row] = _with_folder(keys[row], path)
        if len(set(keys)) == len(keys):
            break
    field = images.table.schema.field('key')
    place = images.table.schema.get_field_index(field.name)
    return ImageTable(images.table.set_column(place, field, pa.array(keys, field.type)))


def _are_distinct(images: ImageTable) -> bool:
    found = pc.count_distinct(images.keys).as_py()
    # Of a million keys it takes 150 MiB, which Arrow keeps for some time.
    pa.default_memory_pool().release_unused()
    return bool(found == len(images))


def _with_folder(key: str, path: str) -> str:
    """Return a key with one more of the names before it in its path."""
    if not path.endswith(f'/{key}'):
        return key
    before = path[: -len(key)].rstrip('/')
    return path[before.rfind('/') + 1 :]


def _rows_of_one_key(keys: Sequence[str]) -> list[int]:
    """Return the rows of images whose key another one has, too."""
    count = Counter(keys)
    return [row for row, key in enumerate(keys) if count[key] > 1]


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
