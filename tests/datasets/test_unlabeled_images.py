"""Tests of UnlabeledImages: what is listed, and that nothing is decoded for it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmdet.datasets import ConcatDataset
from mmdet.registry import DATASETS
from mmengine.registry import DefaultScope
from PIL import Image as PILImage

from mmcompose.datasets import UnlabeledImages, images_of
from mmcompose.utils import UserError
from tests import toys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures of three sizes, one in a sub-folder and one EXIF-rotated; and a text."""
    (tmp_path / 'pool' / 'sub').mkdir(parents=True)
    PILImage.new('RGB', (30, 20)).save(tmp_path / 'pool' / 'a.png')
    exif = PILImage.Exif()
    exif[0x0112] = 6
    PILImage.new('RGB', (40, 25)).save(tmp_path / 'pool' / 'b.jpg', exif=exif)
    PILImage.new('RGB', (50, 35)).save(tmp_path / 'pool' / 'sub' / 'c.JPEG')
    (tmp_path / 'pool' / 'notes.txt').write_text('no picture')
    return tmp_path / 'pool'


def _listed(**config: Any) -> list[tuple[str, int, int]]:
    images = images_of(UnlabeledImages(**config))
    return [(image.key, image.width, image.height) for image in images]


ALL = [('a.png', 30, 20), ('b.jpg', 25, 40), ('sub/c.JPEG', 50, 35)]


def test_a_folder_gives_every_picture_in_it_and_below(folder: Path) -> None:
    assert _listed(data_prefix={'img': str(folder)}) == ALL


def test_a_glob_gives_what_matches(folder: Path) -> None:
    assert _listed(data_prefix={'img': f'{folder}/*.png'}) == ALL[:1]


def test_a_folder_with_brackets_in_its_name_is_no_glob(folder: Path) -> None:
    other = folder.with_name('pool [2020]')
    shutil.copytree(folder, other)
    assert _listed(data_prefix={'img': str(other)}) == ALL


def test_a_list_file_gives_its_lines_in_their_order(folder: Path) -> None:
    (folder / 'list.txt').write_text('sub/c.JPEG\n\na.png\n')
    listed = _listed(ann_file=str(folder / 'list.txt'), data_prefix={'img': str(folder)})
    assert listed == [ALL[2], ALL[0]]


def test_a_coco_json_gives_its_images_and_needs_no_annotations(folder: Path) -> None:
    images = [{'id': 5, 'file_name': 'a.png', 'width': 30, 'height': 20}]
    (folder / 'pool.json').write_text(json.dumps({'images': images}))
    listed = _listed(ann_file=str(folder / 'pool.json'), data_prefix={'img': str(folder)})
    assert listed == ALL[:1]


def test_sizes_that_a_json_lacks_are_read_from_the_picture(folder: Path) -> None:
    (folder / 'pool.json').write_text(json.dumps({'images': [{'id': 1, 'file_name': 'b.jpg'}]}))
    listed = _listed(ann_file=str(folder / 'pool.json'), data_prefix={'img': str(folder)})
    assert listed == ALL[1:2]


def test_data_root_goes_before_both(folder: Path) -> None:
    (folder.parent / 'list.txt').write_text('a.png\n')
    config = {'data_root': str(folder.parent), 'data_prefix': {'img': 'pool'}}
    assert _listed(**config) == ALL
    assert _listed(**config, ann_file='list.txt') == ALL[:1]


def test_keys_stay_when_the_pool_moves(folder: Path) -> None:
    before = _listed(data_prefix={'img': str(folder)})
    moved = folder.rename(folder.with_name('moved'))
    assert _listed(data_prefix={'img': str(moved)}) == before


def test_no_picture_is_decoded_for_its_size(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Any] = []
    monkeypatch.setattr(cv2, 'imdecode', lambda *args: decoded.append(args))
    monkeypatch.setattr(PILImage.Image, 'load', lambda *args: decoded.append(args))
    dataset = UnlabeledImages(data_prefix={'img': str(folder)})
    assert dataset.get_data_info(1)['width'] == 25
    assert decoded == []


def test_the_listed_size_of_a_rotated_picture_is_the_decoded_one(folder: Path) -> None:
    for image in images_of(UnlabeledImages(data_prefix={'img': str(folder)})):
        assert image.pixels.shape == (image.height, image.width, 3)


def _mistake(**config: Any) -> str:
    with pytest.raises(UserError) as caught:
        UnlabeledImages(**config).full_init()
    (line,) = caught.value.lines
    return line


def test_a_missing_folder_is_told_with_the_nearest(folder: Path) -> None:
    line = _mistake(data_prefix={'img': str(folder.with_name('pol'))})
    assert line.startswith('UnlabeledImages.data_prefix.img: ')
    assert 'is no folder' in line
    assert line.endswith(f"did you mean '{folder}'?")


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    line = _mistake(data_prefix={'img': str(tmp_path)})
    assert line.startswith(f'UnlabeledImages.data_prefix.img: {str(tmp_path)!r} holds no picture')


def test_a_glob_without_a_match_is_an_error(folder: Path) -> None:
    assert 'matches no picture' in _mistake(data_prefix={'img': f'{folder}/?.gif'})


@pytest.mark.parametrize('name', ['lst.txt', 'pool.json'])
def test_a_missing_annotation_file_is_told_with_the_nearest(folder: Path, name: str) -> None:
    (folder / f'x{name}').write_text('')
    line = _mistake(ann_file=str(folder / name), data_prefix={'img': str(folder)})
    assert line.startswith('UnlabeledImages.ann_file: ')
    assert line.endswith(f"did you mean '{folder / f'x{name}'}'?")


def test_a_json_that_is_no_coco_json_is_an_error(folder: Path) -> None:
    (folder / 'list.json').write_text('[]')
    assert 'is no COCO json' in _mistake(ann_file=str(folder / 'list.json'))


def test_a_listed_picture_that_is_missing_is_an_error(folder: Path) -> None:
    (folder / 'list.txt').write_text('none.png\n')
    line = _mistake(ann_file=str(folder / 'list.txt'), data_prefix={'img': str(folder)})
    assert str(folder / 'none.png') in line


def test_an_exif_rotated_png_is_listed_as_it_is_decoded(tmp_path: Path) -> None:
    exif = PILImage.Exif()
    exif[0x0112] = 6
    PILImage.new('RGB', (30, 20)).save(tmp_path / 'a.png', exif=exif)
    (image,) = images_of(UnlabeledImages(data_prefix={'img': str(tmp_path)}))
    assert (image.width, image.height) == (20, 30)
    assert image.pixels.shape == (30, 20, 3)


def test_nothing_given_is_an_error() -> None:
    with pytest.raises(UserError, match='give data_prefix'):
        UnlabeledImages()


def test_two_images_with_one_key_are_an_error(folder: Path) -> None:
    (folder / 'list.txt').write_text('a.png\nb.jpg\na.png\n')
    dataset = UnlabeledImages(ann_file=str(folder / 'list.txt'), data_prefix={'img': str(folder)})
    with pytest.raises(UserError, match=r"image 'a.png' is listed twice"):
        images_of(dataset)


def test_an_index_of_no_picture_is_told(folder: Path) -> None:
    told = r'UnlabeledImages.indices: 99 is the index of no picture: there are \d'
    with pytest.raises(UserError, match=told):
        UnlabeledImages(data_prefix={'img': str(folder)}, indices=[0, 99])


def test_pictures_are_as_mmdet_loads_them(folder: Path) -> None:
    pipeline = [{'type': 'LoadImageFromFile'}]
    dataset = UnlabeledImages(data_prefix={'img': str(folder)}, pipeline=pipeline)
    np.testing.assert_array_equal(dataset[1]['img'], images_of(dataset)[1].pixels)


def test_one_unreadable_picture_does_not_stop_the_others(folder: Path) -> None:
    (folder / 'broken.png').write_bytes(b'no picture')
    images = {
        image.key: image for image in images_of(UnlabeledImages(data_prefix={'img': str(folder)}))
    }
    assert (images['a.png'].width, images['broken.png'].width) == (30, 0)
    with pytest.raises(UserError, match=r'broken\.png: is not a picture'):
        assert images['broken.png'].pixels.size


def test_a_pool_without_a_readable_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / 'broken.png').write_bytes(b'no picture')
    assert 'broken.png: is not a picture' in _mistake(data_prefix={'img': str(tmp_path)})


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le'])
def test_a_list_file_in_any_encoding(folder: Path, encoding: str) -> None:
    (folder / 'list.txt').write_bytes('a.png\r\n\r\n'.encode(encoding))
    config = {'ann_file': str(folder / 'list.txt'), 'data_prefix': {'img': str(folder)}}
    assert _listed(**config) == ALL[:1]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"images": [{"id": 1, "width": 3, "height": 2}]}', r'has no file_name in images[0]'),
        (
            '{"images": [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.jpg"}]}',
            'one id',
        ),
        ('{"images": [', 'cannot be read as json'),
    ],
)
def test_a_json_that_contradicts_itself_is_one_line(
    folder: Path, content: str, message: str
) -> None:
    (folder / 'list.json').write_text(content)
    assert message in _mistake(ann_file=str(folder / 'list.json'))


def test_a_name_that_is_no_unicode_is_a_name_like_any_other(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b'/\xff.png')
    PILImage.new('RGB', (30, 20)).save(path)
    (image,) = images_of(UnlabeledImages(data_prefix={'img': str(tmp_path)}))
    assert image.pixels.shape == (20, 30, 3)


def test_with_digests_another_picture_in_ones_place_is_noticed(tmp_path: Path) -> None:
    toys.draw(tmp_path / 'pool', 3)
    first, other = (tmp_path / 'pool' / name for name in ('000.png', '001.png'))
    # Of one size, so that nothing but their content tells them apart.
    size = max(path.stat().st_size for path in (first, other))
    for path in (first, other):
        path.write_bytes(path.read_bytes().ljust(size, b' '))

    def addresses(**more: Any) -> tuple[str, str]:
        prefix = {'img': str(tmp_path / 'pool')}
        index = str(tmp_path / 'store')
        kept = UnlabeledImages(data_prefix=prefix, index=index, **more).images
        alone = UnlabeledImages(data_prefix=prefix, **more).images
        assert [image.digest for image in kept] == [image.digest for image in alone]
        return kept.fingerprint, alone.fingerprint

    before = addresses(), addresses(digest=True)
    assert before[0] != before[1]
    os.replace(other, first)
    shutil.copyfile(first, other)
    after = addresses(), addresses(digest=True)
    assert after[0] == before[0] and after[1] != before[1]


@pytest.mark.parametrize('suffix', ['.bmp', '.TIFF', '.png'])
def test_pictures_that_are_not_compressed_are_known_by_their_content(
    suffix: str, tmp_path: Path
) -> None:
    """All of one size have as many bytes: those of two cameras would be taken for each other's."""
    for camera, grey in (('one', 10), ('other', 200)):
        (tmp_path / camera).mkdir()
        pixels = np.full((20, 30, 3), grey, np.uint8)
        assert cv2.imwrite(str(tmp_path / camera / f'000{suffix}'), pixels)
        assert cv2.imwrite(str(tmp_path / camera / '001.jpg'), pixels)
    one, other = (
        UnlabeledImages(data_prefix={'img': str(tmp_path / camera)}).images
        for camera in ('one', 'other')
    )
    is_bare = suffix != '.png'
    assert [image.digest is not None for image in one] == [is_bare, False]
    assert (one[0].digest != other[0].digest) == is_bare
    plain = UnlabeledImages(data_prefix={'img': str(tmp_path / 'one')}, digest=False).images
    assert [image.digest for image in plain] == [None, None]


@pytest.mark.parametrize('wrapper', [None, 'ConcatDataset', 'RepeatDataset'])
def test_so_are_those_of_any_other_dataset(wrapper: str | None, tmp_path: Path) -> None:
    listed = {'id': 1, 'file_name': '000.bmp', 'width': 30, 'height': 20}
    coco = {'images': [listed], 'annotations': [], 'categories': []}
    (tmp_path / 'coco.json').write_text(json.dumps(coco))
    digests = []
    for camera, grey in (('one', 10), ('other', 200)):
        (tmp_path / camera).mkdir()
        pixels = np.full((20, 30, 3), grey, np.uint8)
        assert cv2.imwrite(str(tmp_path / camera / '000.bmp'), pixels)
        prefix = {'img': str(tmp_path / camera)}
        config = {'type': 'CocoDataset', 'ann_file': str(tmp_path / 'coco.json')}
        config |= {'data_prefix': prefix, 'pipeline': []}
        if wrapper == 'ConcatDataset':
            config = {'type': wrapper, 'datasets': [config]}
        elif wrapper is not None:
            config = {'type': wrapper, 'dataset': config, 'times': 1}
        with DefaultScope.overwrite_default_scope('mmdet'):
            (image,) = images_of(DATASETS.build(config))
        digests.append(image.digest)
    assert None not in digests and digests[0] != digests[1]


def test_a_file_is_read_once_for_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.draw(tmp_path / 'pool', 3)
    read: list[str] = []

    def digests() -> list[str | None]:
        read.clear()
        prefix = {'img': str(tmp_path / 'pool')}
        dataset = UnlabeledImages(data_prefix=prefix, index=str(tmp_path / 'store'), digest=True)
        return [image.digest for image in dataset.images]

    def read_bytes(path: str) -> bytes:
        read.append(Path(path).name)
        return Path(path).read_bytes()

    monkeypatch.setattr('mmcompose.datasets.content_digests.read_bytes', read_bytes)
    first = digests()
    assert len(set(first)) == 3 and len(read) == 3
    assert digests() == first and read == []
    os.utime(tmp_path / 'pool' / '001.png', ns=(1, 1))
    assert digests() == first and read == ['001.png']


def test_folders_with_the_same_names_can_be_one_pool(tmp_path: Path) -> None:
    cameras = [tmp_path / place / 'camera' for place in ('east', 'west')]
    for camera, count in zip(cameras, (3, 2), strict=True):
        toys.draw(camera, count)
    toys.draw(tmp_path / 'other' / 'west', 1)
    folders = [*cameras, tmp_path / 'other']

    def keys(*folders: Path) -> list[str]:
        parts = [UnlabeledImages(data_prefix={'img': str(each)}) for each in folders]
        return images_of(ConcatDataset(parts, lazy_init=True)).keys.to_pylist()

    assert keys(*folders) == [
        'east/camera/000.png',
        'east/camera/001.png',
        '002.png',
        'west/camera/000.png',
        'west/camera/001.png',
        'west/000.png',
    ]
    assert keys(cameras[0], folders[2]) == ['000.png', '001.png', '002.png', 'west/000.png']
    with pytest.raises(UserError, match=rf'listed twice, the file .*{cameras[0]}/000.png'):
        keys(cameras[0], cameras[0])


def _json(folder: Path, *images: dict[str, Any]) -> dict[str, Any]:
    """Write a json of pictures, and return the config of a pool of them."""
    listed = [{'id': number, **image} for number, image in enumerate(images, start=1)]
    (folder / 'pool.JSON').write_text(json.dumps({'images': listed}))
    return {'ann_file': str(folder / 'pool.JSON'), 'data_prefix': {'img': str(folder)}}


@pytest.mark.parametrize('index', [False, True])
@pytest.mark.parametrize(
    ('size', 'message'),
    [
        ((15, 10), 'a.png is 30x20 pixels, and listed as 15x10; allow='),
        ((20, 30), 'listed as 20x30, as before its EXIF orientation turns it; allow='),
    ],
)
def test_a_size_that_is_not_the_pictures_is_told_at_every_start(
    folder: Path, tmp_path: Path, size: tuple[int, int], message: str, index: bool
) -> None:
    config = _json(folder, {'file_name': 'a.png', 'width': size[0], 'height': size[1]})
    if index:
        config['index'] = str(tmp_path / 'store')
    for _ in range(2):
        with pytest.raises(UserError, match='lists 1 of 1 pictures with another size') as caught:
            UnlabeledImages(**config).full_init()
        assert message in str(caught.value)
        # Where that is allowed, the picture's own counts; it is allowed anew each time.
        assert _listed(**config, allow=['listed-sizes']) == ALL[:1]


@pytest.mark.parametrize(
    'entry',
    [
        {'width': 30, 'height': 20},
        {'width': 30},
        {'width': None, 'height': None},
        {'width': '30', 'height': 20.0},
        {},
    ],
)
def test_a_size_that_is_the_pictures_is_not_told(
    folder: Path, tmp_path: Path, entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.utils.doubts.warn', told.append)
    config = _json(folder, {'file_name': 'a.png', **entry})
    assert _listed(**config, index=str(tmp_path / 'store')) == ALL[:1]
    assert told == []


def test_a_picture_that_is_missing_among_others_cannot_be_read(folder: Path) -> None:
    gone = {'file_name': 'gone.png', 'width': 30, 'height': 20}
    images = images_of(UnlabeledImages(**_json(folder, {'file_name': 'a.png'}, gone)))
    assert [(image.key, image.width) for image in images] == [('a.png', 30), ('gone.png', 0)]
    # A pool that is elsewhere is taken as it is listed.
    (image,) = images_of(UnlabeledImages(**_json(folder, gone)))
    assert (image.width, image.height) == (30, 20)


def test_a_name_with_a_line_separator_is_a_line(folder: Path) -> None:
    (folder / 'a.png').rename(folder / 'a\u2028b.png')
    (folder / 'list.txt').write_text('a\u2028b.png\r\n\r\nb.jpg\r', encoding='utf-8', newline='')
    config = {'ann_file': str(folder / 'list.txt'), 'data_prefix': {'img': str(folder)}}
    assert [each[0] for each in _listed(**config)] == ['a\u2028b.png', 'b.jpg']
