"""Image lists: from folders, globs and list files, and from MMDet's datasets."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

import fsspec
from mmengine.dataset import BaseDataset
from PIL import Image as PILImage
from PIL import UnidentifiedImageError

from mmcompose.structures import Image
from mmcompose.utils import UserError, fault

SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
_EXIF_ORIENTATION = 0x0112


def find_images(pattern: str) -> Iterator[str]:
    """Yield the paths of pictures in a folder (and its sub-folders), or that match a glob.

    Args:
        pattern: A local path or fsspec URL of a folder, or a glob.
    """
    filesystem, path = fsspec.core.url_to_fs(pattern)
    found = filesystem.glob(path) if is_glob(pattern) else filesystem.find(path)
    remote = '://' in pattern
    for name in sorted(found):
        if name.lower().endswith(SUFFIXES):
            # fsspec makes local paths absolute; a pool named by a relative path stays relative.
            yield filesystem.unstrip_protocol(name) if remote else _as_named(name, pattern)


def is_glob(pattern: str) -> bool:
    """Return whether a pattern is a glob, and not a folder with brackets in its name."""
    return bool(fsspec.core.has_magic(pattern)) and not os.path.isdir(pattern)


def _as_named(path: str, pattern: str) -> str:
    return path if os.path.isabs(pattern) else os.path.relpath(path)


def image_size(path: str) -> tuple[int, int]:
    """Read a picture's width and height from its header, as it is decoded (EXIF rotated).

    Raises:
        UserError: If the file is missing or is no picture.
    """
    try:
        with fsspec.open(path, 'rb') as file, PILImage.open(file) as picture:
            width, height = picture.size
            turned = _exif(picture).get(_EXIF_ORIENTATION, 1) >= 5
    except UnidentifiedImageError as error:
        raise UserError(fault('', f'{path}: is not a picture that Pillow can read')) from error
    except OSError as error:
        raise UserError(
            fault('', f'{path}: is not a picture that can be read ({error})')
        ) from error
    return (height, width) if turned else (width, height)


def _exif(picture: PILImage.Image) -> PILImage.Exif:
    if picture.format != 'PNG':
        return picture.getexif()
    # There Pillow would decode the picture, in search of what may stand behind its pixels.
    exif = PILImage.Exif()
    exif.load(picture.info.get('exif', b''))
    return exif


def images_of(dataset: BaseDataset) -> list[Image]:
    """List the images of any MMDet dataset; its labels are not looked at.

    Raises:
        UserError: If two of them have one key.
    """
    prefixes = getattr(dataset, 'data_prefix', {})
    prefix = prefixes.get('img') or prefixes.get('img_path') or ''
    images = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        path = info['img_path']
        width, height = info.get('width'), info.get('height')
        if not width or not height:
            width, height = image_size(path)
        images.append(Image(info.get('key', key_of(path, prefix)), path, width, height))
    (twice, times), *_ = Counter(image.key for image in images).most_common(1) or [('', 0)]
    if times > 1:
        raise UserError(fault(f'{type(dataset).__name__}', f'image {twice!r} is listed twice'))
    return images


def key_of(path: str, prefix: str) -> str:
    """Return a path relative to the folder that its pool is kept in."""
    root = prefix
    while is_glob(root):
        root = str(PurePosixPath(root).parent)
    relative = os.path.relpath(path, root) if root and '://' not in path else path
    return path if relative.startswith('..') else relative
