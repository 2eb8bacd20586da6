"""Image: one picture of the pool, decoded once however many teachers look at it."""

from __future__ import annotations

import os
import stat
from functools import cached_property
from typing import Any

import cv2
import fsspec
import numpy as np
from numpy.typing import NDArray

from mmcompose.utils import UserError, fault, problem


def read_bytes(path: str) -> bytes:
    """Read a file named by a local path or any fsspec URL.

    Raises:
        UserError: If it cannot be read.
    """
    check_regular_file(path)
    try:
        with fsspec.open(path, 'rb') as file:
            return bytes(file.read())
    except OSError as error:
        raise UserError(fault('', f'{path}: cannot be read: {error}')) from error


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


def decode(path: str) -> NDArray[np.uint8]:
    """Return a file's ``(height, width, 3)`` uint8 pixels, BGR, as MMCV decodes it.

    Raises:
        UserError: If the file cannot be read, or is no picture.
    """
    data = np.frombuffer(read_bytes(path), np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
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
    """

    digest: str | None = None

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
            UserError: If the file cannot be read or is no picture; if the array is none.
        """
        if isinstance(source, Image):
            return source
        if isinstance(source, np.ndarray):
            if source.ndim != 3 or source.shape[2] != 3 or source.dtype != np.uint8:
                shape = f'{source.dtype} of shape {source.shape}'
                raise UserError(problem('image', shape, 'is not uint8 of shape (height, width, 3)'))
            path, pixels = '', source
        else:
            path = os.fspath(source)
            pixels = decode(path)
        image = cls(path, path, pixels.shape[1], pixels.shape[0])
        image.__dict__['pixels'] = pixels
        return image

    def __repr__(self) -> str:
        return f'Image({self.key!r}, {self.width}x{self.height})'

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != 'pixels'}

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
        pixels = decode(self.path)
        if pixels.shape[:2] != (self.height, self.width):
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
        self.__dict__.pop('pixels', None)
