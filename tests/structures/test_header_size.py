"""The size from the header is that of the decoded picture, whatever the file holds."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PILImage

from mmcompose.structures import Image, check_listed_size, image_size
from mmcompose.structures.image import decode
from mmcompose.utils import UserError

PIXELS = np.full((24, 36, 3), 60, np.uint8)
GARBAGE = b'Exif\0\0\x00\x08\x00\x02\x01\x12\x00\x03'
XMP = (
    b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def _save(path: Path, kind: str, **options: Any) -> str:
    PILImage.fromarray(PIXELS).save(path, kind, **options)
    return str(path)


def _exif(orientation: int) -> Any:
    exif = PILImage.Exif()
    exif[0x0112] = orientation
    return exif


def _with_xmp(data: bytes) -> bytes:
    return data[:2] + b'\xff\xe1' + struct.pack('>H', len(XMP) + 2) + XMP + data[2:]


def _agrees(path: str) -> bool:
    height, width = decode(path).shape[:2]
    return image_size(path) == (width, height)


@pytest.mark.parametrize('orientation', range(1, 10))
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
def test_any_orientation(tmp_path: Path, kind: str, orientation: int) -> None:
    options: dict[str, Any] = {'exif': _exif(orientation)}
    if kind == 'TIFF':
        options = {'tiffinfo': {0x0112: orientation}}
    assert _agrees(_save(tmp_path / 'a', kind, **options))


def _raw_exif(kind: int, value: int, count: int = 1, order: str = '>') -> bytes:
    """Return a block whose orientation is a number of some TIFF type."""
    start = b'MM' if order == '>' else b'II'
    number = struct.pack(f'{order}I' if kind == 4 else f'{order}Hxx', value)
    head = start + struct.pack(f'{order}HIH', 42, 8, 1)
    return b'Exif\0\0' + head + struct.pack(f'{order}HHI', 0x0112, kind, count) + number + bytes(4)


@pytest.mark.parametrize(
    'block',
    [
        _raw_exif(3, 6),
        _raw_exif(3, 6, order='<'),
        # A number of another size, none, two; values that mean nothing.
        _raw_exif(4, 6),
        _raw_exif(8, 6),
        _raw_exif(3, 6, count=0),
        _raw_exif(3, 6, count=2),
        _raw_exif(3, 0),
        _raw_exif(3, 9),
    ],
)
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP'])
def test_an_orientation_of_any_type(tmp_path: Path, kind: str, block: bytes) -> None:
    assert _agrees(_save(tmp_path / 'a', kind, exif=block))


@pytest.mark.parametrize(
    ('mode', 'suffix', 'options'),
    [
        ('CMYK', 'jpg', {}),
        ('L', 'jpg', {'progressive': True}),
        ('P', 'png', {'transparency': 0}),
        ('LA', 'png', {}),
        ('1', 'tif', {'tiffinfo': {0x0112: 6}}),
        ('I;16', 'tif', {}),
        ('RGB', 'png', {'save_all': True, 'append_images': [PILImage.new('RGB', (36, 24), 1)]}),
        ('RGB', 'webp', {'save_all': True, 'append_images': [PILImage.new('RGB', (36, 24), 1)]}),
        ('P', 'gif', {'save_all': True, 'append_images': [PILImage.new('P', (36, 24), 1)]}),
    ],
)
def test_any_mode(tmp_path: Path, mode: str, suffix: str, options: dict[str, Any]) -> None:
    path = str(tmp_path / f'a.{suffix}')
    more = {'exif': _exif(6)} if suffix in ('jpg', 'png', 'webp') else {}
    PILImage.new(mode, (36, 24)).save(path, **more, **options)
    assert _agrees(path)


@pytest.mark.parametrize('kind', ['PNG', 'WEBP', 'BMP', 'GIF', 'TIFF'])
def test_a_suffix_of_another_format(tmp_path: Path, kind: str) -> None:
    assert _agrees(_save(tmp_path / 'a.jpg', kind))


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP'])
@pytest.mark.parametrize('block', [GARBAGE, b'Exif\0\0', b'Exif\0\0II*\0', b'\xff' * 40])
def test_a_malformed_exif_block(tmp_path: Path, kind: str, block: bytes) -> None:
    path = _save(tmp_path / 'a', kind, exif=block)
    assert _agrees(path)
    assert sorted(image_size(path)) == [24, 36]


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'BMP', 'GIF', 'PPM', 'TIFF', 'JPEG2000', 'MPO'])
def test_any_format_without_orientation(tmp_path: Path, kind: str) -> None:
    path = _save(tmp_path / 'a', kind)
    assert image_size(path) == (36, 24)
    assert _agrees(path)


def test_an_orientation_in_xmp_alone_is_none(tmp_path: Path) -> None:
    data = io.BytesIO()
    PILImage.fromarray(PIXELS).save(data, 'JPEG')
    path = tmp_path / 'a.jpg'
    path.write_bytes(_with_xmp(data.getvalue()))
    assert image_size(str(path)) == (36, 24)
    assert _agrees(str(path))


def test_a_picture_over_pillows_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _save(tmp_path / 'a.png', 'PNG')
    monkeypatch.setattr(PILImage, 'MAX_IMAGE_PIXELS', 10)
    assert image_size(path) == (36, 24)
    assert PILImage.MAX_IMAGE_PIXELS == 10


def test_headers_of_pools_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [_save(tmp_path / f'{n}.jpg', 'JPEG', exif=_exif(n)) for n in (1, 6)]
    paths.append(_save(tmp_path / 'a.png', 'PNG'))
    monkeypatch.setattr('mmcompose.structures.header_size.decode', None)
    assert [image_size(path) for path in paths] == [(36, 24), (24, 36), (36, 24)]


@pytest.mark.parametrize('content', [b'', b'no picture', b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff'])
def test_what_is_no_picture_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(content)
    with pytest.raises(UserError, match=r'a\.png: is not a picture'):
        image_size(str(path))


def test_what_is_no_file_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe.png')
    for name, reason in (('pipe.png', 'no regular file'), ('no.png', 'No such'), ('a\0b', 'null')):
        for look in (image_size, decode):
            with pytest.raises(UserError, match=f'cannot be read: .*{reason}'):
                look(str(tmp_path / name))


def test_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b'/\xff.png')
    assert image_size(_save(Path(path), 'PNG')) == (36, 24)


def test_a_listed_size_is_compared_with_the_files(tmp_path: Path) -> None:
    path = _save(tmp_path / 'a.png', 'PNG')
    check_listed_size(Image('a', path, 36, 24))
    check_listed_size(Image('a', str(tmp_path / 'elsewhere.png'), 1, 1))
    with pytest.raises(UserError, match=r'a\.png: is 36x24 pixels, but was listed as 24x36'):
        check_listed_size(Image('a', path, 24, 36))
