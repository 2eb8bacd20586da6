"""Odd pictures in a pool: each is labeled as MMCV decodes it, or recorded as unreadable."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from mmcompose.composition import Composition
from mmcompose.datasets import UnlabeledImages, images_of
from tests import toys

_XMP = (
    b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


@dataclass
class Odd:
    """An odd picture, and what became of it.

    Args:
        name: Its file name.
        outcome: 'right', 'recorded', or what is wrong.
    """

    name: str
    outcome: str

    @property
    def is_right(self) -> bool:
        """Whether it is labeled right, or recorded with a reason."""
        return self.outcome in ('right', 'recorded')


def label_odd_pictures(folder: Path) -> list[Odd]:
    """Write odd pictures, label them, and compare each with what MMCV decodes."""
    pool = folder / 'pool'
    pool.mkdir(parents=True)
    names = write_odd_pictures(pool)
    dataset = UnlabeledImages(data_prefix={'img': str(pool)}, serialize_data=False)
    images = {_key(image.key): image for image in images_of(dataset)}
    composition = Composition(**toys.composition(folder / 'store', max_unreadable=1.0))
    labels = composition.labels(list(images.values()))
    reasons = labels.table.unreadable()
    rows = {_key(key): row for row, key in enumerate(labels.keys)}
    found = []
    for name in names:
        key = _key(name)
        row, expected = rows[key], _decoded(pool / name)
        reason = reasons.get(row)
        if reason is not None:
            outcome = 'recorded' if reason and expected is None else f'recorded: {reason}'
        elif expected is None:
            outcome = 'labeled, though MMCV cannot decode it'
        else:
            outcome = _compared(images[key], labels[row], expected)
        found.append(Odd(key, outcome))
    return found


def _key(name: str) -> str:
    # As the store has names that are no Unicode.
    return name.encode('utf-8', 'backslashreplace').decode()


def _decoded(path: Path) -> NDArray[np.uint8] | None:
    """Return what the student's pipeline makes of a file, None where it cannot read it."""
    if not path.is_file():
        return None
    try:
        pixels: NDArray[np.uint8] | None = mmcv.imfrombytes(path.read_bytes(), flag='color')
    except (cv2.error, ValueError):
        return None
    return pixels


def _compared(image: Any, found: Any, pixels: NDArray[np.uint8]) -> str:
    if (image.height, image.width) != pixels.shape[:2]:
        return f'{image.width}x{image.height}, but MMCV decodes {pixels.shape[:2][::-1]}'
    boxes, _, _ = toys.see(pixels, ['red'])
    expected = np.round(np.clip(boxes, 0, [image.width, image.height] * 2)).tolist()
    return 'right' if sorted(np.round(found.boxes).tolist()) == sorted(expected) else 'other boxes'


def write_odd_pictures(pool: Path) -> list[str]:
    """Write them into a folder, and return their names."""
    pixels = np.full((64, 96, 3), 60, np.uint8)
    # OpenCV's and Pillow's orders of channels, likewise.
    pixels[10:40, 20:50] = toys.COLOURS['red']
    picture = PILImage.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
    files: dict[str, bytes] = {}

    def save(name: str, kind: str, made: PILImage.Image = picture, **options: Any) -> bytes:
        sink = io.BytesIO()
        made.save(sink, kind, **options)
        files[name] = sink.getvalue()
        return files[name]

    _write_formats(save, picture, pixels, files)
    _write_orientations(save, files)
    _write_damage(save, files)
    for name in ('a space.jpg', 'ä ö ü.jpg', 'new\nline.jpg', '[1].jpg', '50%.jpg', '#1.jpg',
                 'surrogate\udcff.jpg', 'two.dots.jpg', 'UPPER.JPG', '-dash.jpg', '😀.jpg',
                 f'{"long" * 60}.jpg'):  # fmt: skip
        files[name] = files['plain.jpg']
    for name, content in files.items():
        (pool / name).write_bytes(content)
    os.mkfifo(pool / 'pipe.jpg')
    (pool / 'folder.jpg').mkdir()
    (pool / 'folder.jpg' / 'inner.jpg').write_bytes(files['plain.jpg'])
    os.symlink('plain.jpg', pool / 'link.jpg')
    os.symlink('nowhere.jpg', pool / 'dangling.jpg')
    return [*files, 'pipe.jpg', 'folder.jpg/inner.jpg', 'link.jpg', 'dangling.jpg']


def _write_formats(
    save: Callable[..., bytes],
    picture: PILImage.Image,
    pixels: NDArray[np.uint8],
    files: dict[str, bytes],
) -> None:
    plain = save('plain.jpg', 'JPEG', quality=95)
    save('progressive.jpg', 'JPEG', progressive=True)
    save('cmyk.jpg', 'JPEG', picture.convert('CMYK'))
    save('gray.jpg', 'JPEG', picture.convert('L'))
    for name in ('jpe', 'jfif'):
        files[f'suffix.{name}'] = plain
    for suffix, kind in (('png', 'PNG'), ('bmp', 'BMP'), ('webp', 'WEBP'), ('gif', 'GIF'),
                         ('tif', 'TIFF'), ('ppm', 'PPM'), ('jp2', 'JPEG2000')):  # fmt: skip
        save(f'format.{suffix}', kind)
    for mode in ('1', 'L', 'LA', 'P', 'RGBA', 'I;16'):
        made = picture.convert('I').convert(mode) if mode[0] == 'I' else picture.convert(mode)
        save(f'mode {mode}.png', 'PNG', made)
    save('float.tif', 'TIFF', picture.convert('F'))
    save('lzw.tif', 'TIFF', compression='tiff_lzw')
    save('pages.tif', 'TIFF', save_all=True, append_images=[PILImage.new('RGB', (30, 20))])
    save('animated.gif', 'GIF', save_all=True, append_images=[PILImage.new('RGB', (96, 64))])
    save('animated.webp', 'WEBP', save_all=True, append_images=[PILImage.new('RGB', (96, 64))])
    save('animated.png', 'PNG', save_all=True, append_images=[PILImage.new('RGB', (96, 64))])
    save('camera.mpo', 'MPO', save_all=True, append_images=[PILImage.new('RGB', (48, 32))])
    files['16 bit.png'] = cv2.imencode('.png', pixels.astype(np.uint16) * 257)[1].tobytes()
    files['of another suffix.png'] = plain
    files['of another suffix.jpg'] = files['format.png']
    save('one pixel.png', 'PNG', PILImage.new('RGB', (1, 1)))
    save('a line.png', 'PNG', PILImage.new('RGB', (3000, 1)))


def _write_orientations(save: Callable[..., bytes], files: dict[str, bytes]) -> None:
    for number in range(10):
        exif = PILImage.Exif()
        exif[0x0112] = number
        save(f'turned {number}.jpg', 'JPEG', exif=exif)
    for number in (3, 6, 8):
        exif = PILImage.Exif()
        exif[0x0112] = number
        save(f'turned {number}.png', 'PNG', exif=exif)
        save(f'turned {number}.webp', 'WEBP', exif=exif)
        save(f'turned {number}.tif', 'TIFF', tiffinfo={0x0112: number})
    for kind in ('png', 'jpg'):
        block = b'Exif\0\0\x00\x08\x00\x02\x01\x12\x00\x03'
        save(f'garbage exif.{kind}', {'png': 'PNG', 'jpg': 'JPEG'}[kind], exif=block)
    plain, size = files['plain.jpg'], struct.pack('>H', len(_XMP) + 2)
    files['xmp.jpg'] = plain[:2] + b'\xff\xe1' + size + _XMP + plain[2:]


def _write_damage(save: Callable[..., bytes], files: dict[str, bytes]) -> None:
    for name in ('plain.jpg', 'format.png', 'format.webp', 'format.tif', 'format.gif'):
        files[f'half of {name}'] = files[name][: len(files[name]) // 2]
        files[f'head of {name}'] = files[name][:40]
    files['empty.jpg'] = b''
    files['text.jpg'] = b'no picture'
    files['page.jpg'] = b'<!DOCTYPE html><html><body>404</body></html>'
    files['pointer.jpg'] = b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'
    files['trailing.jpg'] = files['plain.jpg'] + b'\0' * 1000
    files['no end.jpg'] = files['plain.jpg'][:-2]
    files['heic.jpg'] = b'\0\0\0\x18ftypheic' + b'\0' * 100
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, 'w') as archive:
        archive.writestr('1.jpg', files['plain.jpg'])
    files['archive.jpg'] = sink.getvalue()
    # A header that promises 3.6 gigapixels, and one of a picture without pixels.
    header = bytearray(files['format.png'])
    header[16:24] = struct.pack('>II', 60000, 60000)
    files['bomb.png'] = bytes(header)
    header[16:24] = struct.pack('>II', 0, 0)
    files['no pixels.png'] = bytes(header)
    broken = bytearray(files['format.png'])
    broken[-20] ^= 0xFF
    files['checksum.png'] = bytes(broken)
