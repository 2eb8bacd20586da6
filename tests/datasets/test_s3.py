"""Pictures, what is known of them, predictions and labels, all in object storage."""

from __future__ import annotations

import uuid
from pathlib import Path

import fsspec
import numpy as np
import pytest

from mmcompose.composition import Composition
from mmcompose.datasets import UnlabeledImages
from tests import toys


def test_a_pool_and_its_store_may_lie_in_object_storage(
    bucket: str, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    url = f'{bucket}/{uuid.uuid4().hex}'
    fsspec.filesystem('s3').put(f'{pool}/', f'{url}/pool/', recursive=True)
    expected = Composition(**toys.composition(tmp_path / 'store')).labels(toys.images_in(pool))

    def listed() -> UnlabeledImages:
        return UnlabeledImages(data_prefix={'img': f'{url}/pool'}, index=f'{url}/store')

    found = Composition(**toys.composition(f'{url}/store')).labels(listed().images)
    assert [key.rpartition('/')[2] for key in found.keys] == expected.keys
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.boxes, theirs.boxes)
    opened: list[str] = []

    def image_size(path: str) -> tuple[int, int]:
        opened.append(path)
        return 96, 64

    # From here on nothing is opened but what has changed.
    monkeypatch.setattr('mmcompose.datasets.unlabeled_images.image_size', image_size)
    again = Composition(**toys.composition(f'{url}/store')).labels(listed().images)
    assert again.table.path == found.table.path and opened == []
    files = fsspec.filesystem('s3')
    files.pipe_file(f'{url}/pool/000.png', (pool / '001.png').read_bytes() + b' ')
    files.invalidate_cache()
    changed = Composition(**toys.composition(f'{url}/store')).labels(listed().images)
    assert opened == [f'{url}/pool/000.png']
    np.testing.assert_array_equal(changed[0].boxes, expected[1].boxes)
