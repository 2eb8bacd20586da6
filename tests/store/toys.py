"""What tests of the store share: pools without pictures, and mapped tables."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mmcompose.store import DetectionTable, ImageTable, LabelStore, PictureResults, WorkList
from mmcompose.store.columns import SCHEMA, SCHEMA_WITH_MASKS, to_table
from mmcompose.store.mapped_files import write_mapped
from mmcompose.structures import Detections, Image
from tests.toys import random_detections


class SmallStore(LabelStore):
    """A label store whose parts are of three pictures."""

    part_size = 3


def memory() -> str:
    """Return a location in memory that nobody else has."""
    return f'memory://{uuid.uuid4().hex}'


def location_of(request: pytest.FixtureRequest) -> str:
    """Return a location that nobody else has: 'local', in 'memory', or in 's3'."""
    if request.param == 'memory':
        return memory()
    if request.param == 's3':
        return f'{request.getfixturevalue("bucket")}/{uuid.uuid4().hex}'
    return str(request.getfixturevalue('tmp_path') / 'store')


def image(key: str, num_bytes: int | None = 10, size: tuple[int, int] = (96, 64)) -> Image:
    """Return an image whose file is said to be of a size."""
    made = Image(key, f'/pool/{key}', *size)
    vars(made)['num_bytes'] = num_bytes
    return made


def images(count: int = 7, first: int = 0) -> list[Image]:
    """Return a pool of images."""
    return [image(f'{number:03d}.png') for number in range(first, first + count)]


def boxes_of(each: Image, **more: Any) -> Detections:
    """Return boxes that depend on nothing but the image's key."""
    number = sum(each.key.encode())
    return random_detections(number, number % 4, **more)


def make(store: LabelStore, pool: Sequence[Image], *makers: str) -> WorkList:
    """Make what is missing of some makers' results of a pool."""
    store.begin()
    results = {name: store.predictions(name) for name in makers or ('a',)}
    work = store.work_list(pool, results)
    for part in work.unfinished():
        made, wanted = work.images_of(part)
        for name, mask in wanted.items():
            own = [each for each, is_wanted in zip(made, mask, strict=True) if is_wanted]
            work.write(name, part, own, [boxes_of(each) for each in own])
    work.finish()
    return work


def parts_of(results: PictureResults) -> list[list[str]]:
    """Return the keys in each part."""
    names = results.parts.names()
    return [results.parts.read(name).column('key').to_pylist() for name in names]


def mapped(folder: Path, found: Sequence[Detections]) -> DetectionTable:
    """Write detections of as many images into a mapped file."""
    pool = [Image(f'{number}.png', '', 96, 64) for number in range(len(found))]
    masks = any(each.masks is not None for each in found)
    schema = SCHEMA_WITH_MASKS if masks else SCHEMA
    write_mapped(folder, [to_table(pool, found)], schema, 'f' * 16)
    (path,) = folder.glob('labels-*.arrow')
    return DetectionTable(path)


def table_of(pool: Sequence[Image]) -> ImageTable:
    """Return images as columns."""
    return ImageTable.of(pool)
