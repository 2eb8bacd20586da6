"""Pictures decoded at a fraction of their size, for models that take a much smaller input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import mmcv

from mmcompose.structures import REDUCTIONS, Image
from mmcompose.utils import UserError, fault

# (width, height), and whether the picture keeps its proportions in it.
Scale = tuple[tuple[int, int], bool]


def reduction_for(image: Image, taken: Iterable[tuple[int, int]]) -> int:
    """Return by how much a picture may be smaller: to no less than the model takes of it.

    Args:
        image: The picture.
        taken: Width and height to which it is resized, of each view.
    """
    width, height = (max(sides) for sides in zip(*taken, strict=True))
    fits = (n for n in REDUCTIONS if image.width // n >= width and image.height // n >= height)
    return max(fits, default=1)


def scales_of(steps: Iterable[Any]) -> list[Scale]:
    """Return the scales to which an MMDetection test pipeline resizes pictures.

    Raises:
        UserError: If there is none.
    """
    if not (found := list(_scales(steps))):
        expected = 'needs a test pipeline with a Resize to a fixed scale'
        raise UserError(fault('reduced_decode', expected))
    return found


def _scales(steps: Iterable[Any]) -> Iterator[Scale]:
    for step in steps:
        # Test-time augmentation holds a list of alternatives in each place.
        if isinstance(step, (list, tuple)):
            yield from _scales(step)
        elif 'transforms' in step:
            yield from _scales(step['transforms'])
        elif str(step['type']).rpartition('.')[2] == 'Resize' and step.get('scale'):
            scale = step['scale']
            # MMCV takes one number for both.
            width, height = (scale, scale) if isinstance(scale, int) else scale
            yield (width, height), step.get('keep_ratio', False)


def resized(image: Image, scale: Scale) -> tuple[int, int]:
    """Return the width and height to which MMCV resizes a picture."""
    size, keeps_ratio = scale
    if not keeps_ratio:
        return size
    width, height = mmcv.rescale_size((image.width, image.height), size)
    return int(width), int(height)


def as_if_whole(prepared: Mapping[str, Any], image: Image, size: tuple[int, int]) -> None:
    """Tell MMDetection of a picture's own size, in whose pixels it is to return boxes and masks.

    Args:
        prepared: What a test pipeline made of the reduced picture, changed in place.
        image: The picture.
        size: Width and height of the reduced one.
    """
    samples = prepared['data_samples']
    for sample in samples if isinstance(samples, list) else [samples]:
        wide, high = sample.metainfo['scale_factor']
        factor = (wide * size[0] / image.width, high * size[1] / image.height)
        whole = (image.height, image.width)
        sample.set_metainfo({'ori_shape': whole, 'scale_factor': factor})
