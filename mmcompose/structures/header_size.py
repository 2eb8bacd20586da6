"""A picture's size from its header, as the student's pipeline (MMCV, by OpenCV) decodes it."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image as PILImage

from mmcompose.structures.image import Image, check_regular_file, decode, open_bytes
from mmcompose.utils import UserError, fault

_ORIENTATION = 0x0112
# A whole number of 16 bits.
_SHORT = 3
# Of which Pillow and OpenCV find the same orientation, in a sound Exif block.
_AGREED = ('JPEG', 'MPO')
# Of which they may not look at the same place for it.
_MAY_BE_TURNED = ('AVIF', 'TIFF')
_no_limit = threading.Lock()


def image_size(path: str) -> tuple[int, int]:
    """Return a picture's width and height in pixels, as it is decoded (orientation included).

    The header has them, but where Pillow and OpenCV may take its orientation for another: then, and
    where Pillow cannot read it, the picture is decoded.

    Raises:
        UserError: If the file is missing or is no picture.
    """
    check_regular_file(path)
    try:
        with open_bytes(path) as file, _without_limit(), PILImage.open(file) as picture:
            width, height = picture.size
            turned = False if width == height else _is_turned(picture)
    # Pillow's plugins raise whatever a broken header leads them to; OpenCV has the last word, and
    # reports why where it cannot read the file either.
    except Exception:
        return _decoded_size(path)
    if turned is None:
        return _decoded_size(path)
    return (height, width) if turned else (width, height)


def check_listed_size(image: Image) -> None:
    """Check that a picture is of the size that it is listed with, where its file is at hand.

    Raises:
        UserError: If not, with both sizes.
    """
    if not os.path.isfile(image.path):
        return
    width, height = image_size(image.path)
    if (width, height) != (image.width, image.height):
        listed = f'was listed as {image.width}x{image.height}'
        raise UserError(fault('', f'{image.path}: is {width}x{height} pixels, but {listed}'))


def _is_turned(picture: PILImage.Image) -> bool | None:
    """Return whether width and height are swapped by decoding; None if only that can show it."""
    exif = picture.info.get('exif')
    if picture.format in _MAY_BE_TURNED:
        return None
    if not exif:
        return False
    orientation = _orientation(exif)
    if orientation in range(1, 5) and picture.format in _AGREED:
        return False
    return True if orientation in range(5, 9) and picture.format in _AGREED else None


def _orientation(block: bytes) -> int | None:
    """Return the orientation in an Exif block, 1 where it has none, None if it is malformed.

    Not by Pillow, which looks into XMP too, decodes a PNG in search of what may stand behind its
    pixels, and takes numbers of any type, all of which OpenCV does not.
    """
    block = block.removeprefix(b'Exif\0\0')
    order = {b'II*\0': '<', b'MM\0*': '>'}.get(block[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f'{order}I', block, 4)
        (count,) = struct.unpack_from(f'{order}H', block, start)
        entries = [
            struct.unpack_from(f'{order}HHIH', block, start + 2 + 12 * n) for n in range(count)
        ]
    except struct.error:
        return None
    found = [rest for tag, *rest in entries if tag == _ORIENTATION]
    if not found:
        return 1
    kind, number, value = found[0]
    return value if len(found) == 1 and (kind, number) == (_SHORT, 1) else None


def _decoded_size(path: str) -> tuple[int, int]:
    height, width = decode(path).shape[:2]
    return (width, height)


@contextmanager
def _without_limit() -> Iterator[None]:
    """Let Pillow read the header of a large picture; nothing is decoded meanwhile."""
    with _no_limit:
        limit, PILImage.MAX_IMAGE_PIXELS = PILImage.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            PILImage.MAX_IMAGE_PIXELS = limit
