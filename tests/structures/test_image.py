"""Tests of Image: its pixels, and when they are decoded."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as PILImage

from mmcompose.structures import Image, image_size, read_bytes
from mmcompose.structures.json_files import read_text
from mmcompose.utils import UserError


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = tmp_path / 'picture.png'
    cv2.imwrite(str(path), np.full((20, 30, 3), (1, 2, 3), np.uint8))
    return str(path)


def test_pixels_are_bgr_rows_by_columns(path: str) -> None:
    pixels = Image('picture', path, 30, 20).pixels
    assert pixels.shape == (20, 30, 3)
    assert pixels[0, 0].tolist() == [1, 2, 3]


def test_pixels_are_decoded_once_until_they_are_forgotten(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, 'imdecode', lambda *a: calls.append(a) or decode(*a))
    image = Image('picture', path, 30, 20)
    assert image.pixels is image.pixels
    assert len(calls) == 1
    image.forget_pixels()
    assert image.pixels.size
    assert len(calls) == 2


def test_pixels_do_not_travel_to_another_process(path: str) -> None:
    image = Image('picture', path, 30, 20)
    assert image.pixels.size
    copy = pickle.loads(pickle.dumps(image))
    assert vars(copy) == {'key': 'picture', 'path': path, 'width': 30, 'height': 20}


def test_an_exif_rotated_picture_has_the_size_that_it_is_decoded_to(tmp_path: Path) -> None:
    path = tmp_path / 'turned.jpg'
    exif = PILImage.Exif()
    exif[0x0112] = 6
    PILImage.new('RGB', (30, 20)).save(path, exif=exif)
    assert Image('turned', str(path), 20, 30).pixels.shape == (30, 20, 3)


def test_a_picture_of_another_size_than_listed_is_an_error(path: str) -> None:
    with pytest.raises(UserError, match=r'is 30x20 pixels, but was listed as 31x20'):
        _ = Image('picture', path, 31, 20).pixels


def test_a_missing_picture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='cannot be read'):
        _ = Image('none', str(tmp_path / 'none.png'), 1, 1).pixels


@pytest.mark.parametrize('content', [b'', b'no picture'])
def test_a_file_that_is_no_picture_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'text.png'
    path.write_bytes(content)
    with pytest.raises(UserError, match='not a picture'):
        _ = Image('text', str(path), 1, 1).pixels


class _Storage:
    """Opens files, and does not answer the first few times."""

    def __init__(self, error: type[OSError], times: int) -> None:
        self.error, self.times, self.asked = error, times, 0

    def __call__(self, path: str) -> Any:
        self.asked += 1
        if self.asked <= self.times:
            raise self.error('timed out')
        return open(path, 'rb')


@pytest.mark.parametrize(
    ('error', 'times', 'asked', 'is_read'),
    [
        (TimeoutError, 2, 3, True),
        (ConnectionResetError, 1, 2, True),
        (TimeoutError, 3, 3, False),
        (PermissionError, 1, 1, False),
    ],
)
def test_a_storage_that_does_not_answer_is_asked_again(
    error: type[OSError],
    times: int,
    asked: int,
    is_read: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / 'a.png').write_bytes(b'content')
    storage = _Storage(error, times)
    monkeypatch.setattr('mmcompose.structures.image.open_bytes', storage)
    monkeypatch.setattr('mmcompose.structures.image._PAUSES', (0.0, 0.0))
    if is_read:
        assert read_bytes(str(tmp_path / 'a.png')) == b'content'
    else:
        with pytest.raises(UserError, match='cannot be read: timed out'):
            read_bytes(str(tmp_path / 'a.png'))
    assert storage.asked == asked


def test_a_file_may_be_named_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'list.txt').write_text('found')
    monkeypatch.setenv('HOME', str(tmp_path))
    assert read_text('key', '~/list.txt') == 'found'


def test_a_local_name_is_no_chain_of_urls(tmp_path: Path) -> None:
    folder = tmp_path / 'p::q'
    folder.mkdir()
    for name, value in (('0.png', 10), ('0.png::x.png', 200)):
        assert cv2.imwrite(str(folder / name), np.full((4, 6, 3), value, np.uint8))
    path = str(folder / '0.png::x.png')
    assert Image(path, path, 6, 4).pixels.min() == 200
    assert image_size(path) == (6, 4)
    (folder / 'a.txt').write_text('found')
    assert read_text('key', str(folder / 'a.txt')) == 'found'
