"""The images of any of MMDet's datasets, and their keys."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import PurePosixPath

from mmengine.dataset import BaseDataset

from mmcompose.datasets.image_folders import is_glob
from mmcompose.structures import Image, image_size
from mmcompose.utils import UserError, fault


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
        # A picture whose header cannot be read is listed with no width and height but 0.
        if width is None or height is None:
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
