"""A pool as Python gives it: images, or paths and URLs of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from typing import TypeAlias

import numpy as np

from mmcompose.store import ImageTable
from mmcompose.structures import Image, image_size
from mmcompose.utils import UserError, fault, problem

GivenPool: TypeAlias = Sequence[Image | str | PathLike[str]]

_KEY = 'images'


def as_pool(given: GivenPool) -> Sequence[Image]:
    """Return the images of a pool; of a path or URL, which is its key, the header is read.

    Raises:
        UserError: If a picture is not that of a file or cannot be read, or if two have one key,
            by which they are told apart in the label store.
    """
    if isinstance(given, ImageTable):
        return given
    if isinstance(given, str | PathLike | Image | np.ndarray):
        expected = 'is one picture; give a list of them, or take predict'
        raise UserError(problem(_KEY, type(given).__name__, expected))
    images = [_image(f'{_KEY}[{number}]', each) for number, each in enumerate(given)]
    places: dict[str, int] = {}
    for number, image in enumerate(images):
        if (first := places.setdefault(image.key, number)) != number:
            expected = f'is the key of {_KEY}[{first}], too'
            raise UserError(problem(f'{_KEY}[{number}]', image.key, expected))
    return images


def _image(key: str, given: Image | str | PathLike[str]) -> Image:
    if isinstance(given, Image) and given.is_of_file:
        return given
    if isinstance(given, Image | np.ndarray):
        expected = 'has not the pixels of a file, which a store could address; take predict'
        raise UserError(fault(key, expected))
    if not isinstance(given, str | PathLike):
        raise UserError(problem(key, given, 'is no path, URL or Image'))
    path = fspath(given)
    return Image(path, path, *image_size(path))
