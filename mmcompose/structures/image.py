"""Image: one picture of the pool, decoded once however many teachers look at it."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

import cv2
import fsspec
import numpy as np
from numpy.typing import NDArray

from mmcompose.utils import UserError


def read_bytes(path: str) -> bytes:
    """Read a file named by a local path or any fsspec URL.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        with fsspec.open(path, 'rb') as file:
            return bytes(file.read())
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error}') from error


class Image:
    """A picture that knows its size before it is decoded.

    Args:
        key: What addresses it in the label store: unique in its pool, and the same wherever
            the pool is kept.
        path: A local path or fsspec URL.
        width: In pixels, as decoded (after an EXIF rotation).
        height: Likewise.
    """

    def __init__(self, key: str, path: str, width: int, height: int) -> None:
        self.key = key
        self.path = path
        self.width = int(width)
        self.height = int(height)

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
        except OSError:
            return None

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """``(height, width, 3)`` uint8, BGR, as MMCV decodes it.

        Raises:
            UserError: If the file is no picture, or not of the size that was stated.
        """
        data = np.frombuffer(read_bytes(self.path), np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if pixels is None:
            raise UserError(f'{self.path}: is not a picture that OpenCV can decode')
        if pixels.shape[:2] != (self.height, self.width):
            raise UserError(
                f'{self.path}: is {pixels.shape[1]}x{pixels.shape[0]} pixels, '
                f'but was listed as {self.width}x{self.height}'
            )
        return np.asarray(pixels, np.uint8)

    def forget_pixels(self) -> None:
        """Free the decoded picture; the next look decodes it again."""
        self.__dict__.pop('pixels', None)
