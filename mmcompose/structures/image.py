"""Image: one picture of the pool, decoded once however many teachers look at it."""

from __future__ import annotations

import os
import stat
import time
from functools import cached_property
from typing import Any

import cv2
import fsspec
import numpy as np
from numpy.typing import NDArray

from mmcompose.utils import UserError, fault, problem

# A network or a storage that does not answer may do so some seconds later: a picture that cannot be
# read is left out for good.
_PAUSES = (0.5, 2.0)


def open_bytes(path: str) -> Any:
    """Return a file opened for reading bytes, by a local path or any fsspec URL.

    ``::`` chains URLs, as in ``zip://1.jpg::s3://bucket/all.zip``; a local path may hold it, too.
    """
    return fsspec.open(path, 'rb') if '://' in path else open(os.path.expanduser(path), 'rb')


def filesystem_of(path: str) -> tuple[Any, str]:
    """Return the fsspec file system of a local path or URL, or of a glob, and its path there."""
    if '://' in path:
        found: tuple[Any, str] = fsspec.core.url_to_fs(path)
        return found
    return fsspec.filesystem('file'), os.path.abspath(os.path.expanduser(path))


def read_bytes(path: str) -> bytes:
    """Read a file named by a local path or any fsspec URL.

    Raises:
        UserError: If it cannot be read.
    """
    check_regular_file(path)
    for pause in (*_PAUSES, None):
        try:
            with open_bytes(path) as file:
                return bytes(file.read())
        except Exception as error:
            # Each kind of storage has exceptions of its own.
            if '://' not in path and not isinstance(error, OSError):
                raise
            lasts = isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError)
            if lasts or pause is None:
                reason = ' '.join(str(error).split()) or type(error).__name__
                raise UserError(fault('', f'{path}: cannot be read: {reason}')) from error
            time.sleep(pause)
    raise AssertionError


def check_regular_file(path: str) -> None:
    """Check that a local path is a file: a pipe would never end, a device has no size.

    Raises:
        UserError: If it is none.
    """
    if '://' in path:
        return
    try:
        mode = os.stat(path).st_mode
    # A name with a zero byte is one of no file.
    except (OSError, ValueError) as error:
        raise UserError(fault('', f'{path}: cannot be read: {error}')) from error
    if not stat.S_ISREG(mode):
        raise UserError(fault('', f'{path}: cannot be read: is no regular file'))


# How OpenCV decodes a JPEG at a half, a fourth, an eighth of its size.
REDUCTIONS = {
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_JPEG = b'\xff\xd8\xff'


def decode(path: str, reduction: int = 1) -> NDArray[np.uint8]:
    """Return a file's ``(height, width, 3)`` uint8 pixels, BGR, as MMCV decodes it.

    Args:
        path: A local path or fsspec URL.
        reduction: By how much a JPEG is to be smaller, one of :data:`REDUCTIONS`. Defaults to 1.

    Raises:
        UserError: If the file cannot be read, or is no picture.
    """
    content = read_bytes(path)
    data = np.frombuffer(content, np.uint8)
    reduces = reduction > 1 and content.startswith(_JPEG)
    flag = REDUCTIONS[reduction] if reduces else cv2.IMREAD_COLOR
    try:
        pixels = cv2.imdecode(data, flag) if data.size else None
    except cv2.error as error:
        expected = f'{path}: is not a picture that OpenCV can decode ({error.err})'
        raise UserError(fault('', expected)) from error
    if pixels is None:
        raise UserError(fault('', f'{path}: is not a picture that OpenCV can decode'))
    return np.asarray(pixels, np.uint8)


class Image:
    """A picture that knows its size before it is decoded.

    Args:
        key: What addresses it in the label store: unique in its pool, and the same wherever
            the pool is kept.
        path: A local path or fsspec URL.
        width: In pixels, as decoded (after an EXIF rotation).
        height: Likewise.

    Attributes:
        digest: 16 hex digits of the file's content, where they belong to its address; else None.
        is_of_file: Whether its pixels are those of its file.
    """

    digest: str | None = None
    is_of_file = True

    def __init__(self, key: str, path: str, width: int, height: int) -> None:
        self.key = key
        self.path = path
        self.width = int(width)
        self.height = int(height)

    @classmethod
    def of(cls, source: Image | str | os.PathLike[str] | NDArray[np.uint8]) -> Image:
        """Return an image of its file or pixels; one that is an image already stays as it is.

        Args:
            source: A local path, a fsspec URL, or ``(height, width, 3)`` uint8 pixels, BGR as
                OpenCV reads them. Pixels stay in memory and do not travel to another process.

        Raises:
            UserError: If the file cannot be read or is no picture; if the array is none, or the
                source is neither.
        """
        if isinstance(source, Image):
            return source
        if isinstance(source, np.ndarray):
            if source.ndim != 3 or source.shape[2] != 3 or source.dtype != np.uint8:
                shape = f'{source.dtype} of shape {source.shape}'
                raise UserError(problem('image', shape, 'is not uint8 of shape (height, width, 3)'))
            image = cls('', '', source.shape[1], source.shape[0])
            return image.with_pixels(source)
        try:
            path = os.fspath(source)
        except TypeError as error:
            expected = 'is no path and no picture; give one at a time'
            raise UserError(problem('image', source, expected)) from error
        pixels = decode(path)
        image = cls(path, path, pixels.shape[1], pixels.shape[0])
        image.__dict__['pixels'] = pixels
        return image

    def with_pixels(self, pixels: NDArray[np.uint8]) -> Image:
        """Return the same image with other pixels than those of its file."""
        image = Image(self.key, self.path, pixels.shape[1], pixels.shape[0])
        image.is_of_file = False
        image.__dict__['pixels'] = pixels
        return image

    def __repr__(self) -> str:
        return f'Image({self.key!r}, {self.width}x{self.height})'

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _DECODED}

    @cached_property
    def num_bytes(self) -> int | None:
        """The file's size; None where it is not there, or asking would cost a request (a URL)."""
        if '://' in self.path:
            return None
        try:
            return os.path.getsize(self.path)
        except (OSError, ValueError):
            return None

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """``(height, width, 3)`` uint8, BGR, as MMCV decodes it.

        Raises:
            UserError: If the file is no picture, or not of the size that was stated.
        """
        return self._decoded(1)

    def reduced(self, reduction: int) -> NDArray[np.uint8]:
        """Return the picture at a half, a fourth or an eighth of its size, sides rounded up.

        A JPEG is decoded so, which takes a fraction of the time. Any other picture, and one whose
        pixels are not those of its file, stays as large as it is.

        Args:
            reduction: One of :data:`REDUCTIONS`, or 1.

        Raises:
            UserError: As :attr:`pixels`.
        """
        if reduction == 1 or not self.is_of_file:
            return self.pixels
        by_reduction = self.__dict__.setdefault('_by_reduction', {})
        if reduction not in by_reduction:
            by_reduction[reduction] = self._decoded(reduction)
        found: NDArray[np.uint8] = by_reduction[reduction]
        return found

    def _decoded(self, reduction: int) -> NDArray[np.uint8]:
        pixels = decode(self.path, reduction)
        whole = self.height, self.width
        if pixels.shape[:2] not in (whole, tuple(-(-side // reduction) for side in whole)):
            raise UserError(
                fault(
                    '',
                    f'{self.path}: is {pixels.shape[1]}x{pixels.shape[0]} pixels, '
                    f'but was listed as {self.width}x{self.height}',
                )
            )
        return pixels

    def forget_pixels(self) -> None:
        """Free the decoded picture; the next look decodes it again."""
        for name in _DECODED:
            self.__dict__.pop(name, None)


# What of an image is large, and made of its file.
_DECODED = ('pixels', '_by_reduction')
