"""Tests of ShardedResult: whole shards or none, addressed by all that made them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.store import ShardedResult
from mmcompose.structures import Detections, Image, encode_masks
from mmcompose.utils import UserError
from tests.toys import files_below, random_detections

IMAGES = [Image(f'{number}.png', f'/pool/{number}.png', 96, 64) for number in range(7)]


def _result(root: Path, **changes: Any) -> ShardedResult:
    arguments: dict[str, Any] = {
        'kind': 'predictions',
        'made_of': {'teacher': 'a'},
        'images': IMAGES,
        'shard_size': 3,
    }
    return ShardedResult(root, **{**arguments, **changes})


def _write(result: ShardedResult, shard: int) -> None:
    first = shard * 3
    found = [random_detections(first + n, n + 1) for n in range(len(result.images_of(shard)))]
    result.write(shard, found)


def test_a_shard_is_a_fixed_range_of_the_image_list(tmp_path: Path) -> None:
    result = _result(tmp_path)
    assert result.num_shards == 3
    assert [len(result.images_of(shard)) for shard in range(3)] == [3, 3, 1]
    assert result.images_of(1)[0].key == '3.png'


@pytest.mark.parametrize(
    'changes',
    [
        {'kind': 'labels'},
        {'made_of': {'teacher': 'b'}},
        {'images': IMAGES[:6]},
        {'images': IMAGES[::-1]},
        {'images': [*IMAGES[:6], Image('6.png', '/pool/6.png', 97, 64)]},
    ],
    ids=['kind', 'made of', 'fewer', 'order', 'size'],
)
def test_whatever_makes_it_another_result_has_another_address(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    assert _result(tmp_path).folder != _result(tmp_path, **changes).folder


def test_a_pool_that_moved_has_the_same_address(tmp_path: Path) -> None:
    moved = [Image(image.key, f'/elsewhere/{image.key}', 96, 64) for image in IMAGES]
    assert _result(tmp_path, images=moved).folder == _result(tmp_path).folder


def test_shards_read_back_in_the_images_order_whatever_order_they_were_made_in(
    tmp_path: Path,
) -> None:
    result = _result(tmp_path)
    for shard in (2, 0, 1):
        _write(result, shard)
    table = result.read()
    assert table.keys == [image.key for image in IMAGES]
    assert [len(table[row]) for row in range(7)] == [1, 2, 3, 1, 2, 3, 1]
    np.testing.assert_array_equal(table[5].boxes, random_detections(5, 3).boxes)


def test_missing_lists_what_is_not_there(tmp_path: Path) -> None:
    result = _result(tmp_path)
    _write(result, 1)
    assert result.missing() == [0, 2]


def test_a_shard_that_was_being_written_counts_as_missing(tmp_path: Path) -> None:
    result = _result(tmp_path)
    _write(result, 0)
    whole = result.shard_path(0).read_bytes()
    result.shard_path(1).with_name('.shard-00001.parquet.1.tmp').write_bytes(whole[:100])
    assert result.missing() == [1, 2]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any, path: Path, **__: Any) -> None:
        Path(path).write_bytes(b'half')
        raise OSError('disk full')

    result = _result(tmp_path)
    monkeypatch.setattr('mmcompose.store.shards.pq.write_table', fail)
    with pytest.raises(UserError, match=r'composition\.store: .*cannot be written: disk full'):
        _write(result, 0)
    assert [path.name for path in result.folder.iterdir()] == ['manifest.json']


def test_two_processes_that_make_one_shard_write_the_same_bytes(tmp_path: Path) -> None:
    for root in ('one', 'other'):
        result = _result(tmp_path / root)
        for shard in range(3):
            _write(result, shard)
        result.read()
    assert files_below(tmp_path / 'one') == files_below(tmp_path / 'other')


def test_the_manifest_says_what_made_the_result(tmp_path: Path) -> None:
    result = _result(tmp_path)
    _write(result, 0)
    manifest = json.loads((result.folder / 'manifest.json').read_text())
    assert manifest['made_of'] == {'teacher': 'a'}
    assert manifest['num_images'] == 7


def test_a_store_that_cannot_be_written_to_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match=r'composition\.store: .* cannot be written: '):
        _result(tmp_path / 'file').write(0, [Detections()] * 3)


@pytest.mark.parametrize('size', [0, 100], ids=['empty', 'cut short'])
def test_a_shard_that_was_damaged_is_named(tmp_path: Path, size: int) -> None:
    result = _result(tmp_path)
    for shard in range(3):
        _write(result, shard)
    damaged = result.shard_path(1)
    damaged.write_bytes(damaged.read_bytes()[:size])
    with pytest.raises(UserError) as caught:
        result.read()
    (line,) = caught.value.lines
    assert line.startswith(f"composition.store: '{damaged}' cannot be read (")
    assert not (result.folder / 'all.arrow').exists()


def test_shards_with_and_without_masks_read_as_one(tmp_path: Path) -> None:
    result = _result(tmp_path)
    masks = encode_masks(np.ones((1, 64, 96), bool))
    for shard in range(3):
        _write(result, shard)
    bare = result.shard_path(0).read_bytes()
    result.write(1, [random_detections(n, 1, masks=masks) for n in range(3)])
    table = result.read()
    assert table[0].masks is None
    assert table[4].masks.tolist() == masks.tolist()
    # What holds boxes alone is as it was before there were masks at all.
    _write(result, 0)
    assert result.shard_path(0).read_bytes() == bare
    assert b'masks' not in bare


def _pictures(folder: Path) -> list[Image]:
    folder.mkdir()
    for number in range(3):
        (folder / f'{number}.png').write_bytes(b'x' * (number + 1))
    return [Image(f'{n}.png', str(folder / f'{n}.png'), 96, 64) for n in range(3)]


def test_a_picture_that_was_changed_in_place_is_noticed(tmp_path: Path) -> None:
    result = _result(tmp_path, images=_pictures(tmp_path / 'pool'))
    _write(result, 0)
    result.read()
    (tmp_path / 'pool' / '1.png').write_bytes(b'another picture')
    images = [Image(image.key, image.path, 96, 64) for image in result.images_of(0)]
    again = _result(tmp_path, images=images)
    assert again.missing() == []
    with pytest.raises(UserError) as caught:
        again.read()
    (line,) = caught.value.lines
    assert line.startswith("composition.store: 1 of 3 pictures have changed since '")
    assert "the first '1.png'" in line


@pytest.mark.parametrize('path', ['{}/copy/{}.png', 's3://bucket{}/{}.png'])
def test_a_pool_that_was_copied_or_is_read_from_afar_is_taken_as_it_is(
    tmp_path: Path, path: str
) -> None:
    result = _result(tmp_path, images=_pictures(tmp_path / 'pool'))
    _write(result, 0)
    _pictures(tmp_path / 'copy')
    images = [Image(f'{n}.png', path.format(tmp_path, n), 96, 64) for n in range(3)]
    assert len(_result(tmp_path, images=images).read()) == 3
