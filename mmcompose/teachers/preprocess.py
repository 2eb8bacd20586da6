"""From a decoded picture to the array a bare model takes, and back to original pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, get_type_hints

import cv2
import mmcv
import numpy as np
from numpy.typing import NDArray

from mmcompose.structures import Detections
from mmcompose.utils import UserError, check_keys, check_types, fault, problem


@dataclass(frozen=True)
class Geometry:
    """How a picture lies in the model's input: ``x * factor + offset``.

    Args:
        factor: Of width and of height, input pixels per original pixel.
        offset: Of the left and of the upper edge, in input pixels.
    """

    factor: tuple[float, float]
    offset: tuple[int, int]

    def of_whole(self, reduced: tuple[int, int], whole: tuple[int, int]) -> Geometry:
        """Return how the whole picture lies there where a reduced one was prepared.

        Args:
            reduced: Width and height of that.
            whole: Of the picture.
        """
        wide, high = self.factor
        return Geometry((wide * reduced[0] / whole[0], high * reduced[1] / whole[1]), self.offset)

    def to_original(self, found: Detections) -> Detections:
        """Turn boxes in pixels of the model's input into pixels of the original image."""
        offset = np.array(self.offset * 2, np.float32)
        factor = np.array(self.factor * 2, np.float32)
        return replace(found, boxes=(found.boxes - offset) / factor)

    def crop(
        self, maps: NDArray[Any], picture: tuple[int, int], whole: tuple[int, int]
    ) -> NDArray[Any]:
        """Return the part of a model's feature maps where a picture lies.

        Args:
            maps: ``(B, C, h, w)``, of the whole input.
            picture: Width and height of the picture.
            whole: Width and height of the input.
        """
        sides = []
        for axis, cells in enumerate((maps.shape[3], maps.shape[2])):
            start = self.offset[axis]
            end = start + picture[axis] * self.factor[axis]
            first = min(round(start / whole[axis] * cells), cells - 1)
            sides.append(slice(first, max(round(end / whole[axis] * cells), first + 1)))
        return maps[..., sides[1], sides[0]]


@dataclass(frozen=True)
class Preprocess:
    """What a model's input is made of, in MMDet's terms; each default changes nothing.

    Args:
        scale: (width, height) of the input, as ``Resize`` takes it. None where the
            model's input has a fixed size.
        keep_ratio: Keep the picture's proportions and pad the rest of the input, as a letterbox
            does. Defaults to False: stretch it.
        pad_val: What the rest is filled with, or None for 0 after ``mean`` and ``std``, as MMDet's
            data preprocessor pads. Defaults to 114, as YOLOX does.
        center: Put the picture into the middle, as Ultralytics does, not into the upper left
            corner. Defaults to False.
        mean: Of each channel, in the order after ``bgr_to_rgb``; subtracted.
        std: Likewise; divided by.
        bgr_to_rgb: Turn the channels round. Defaults to False: BGR, as MMCV reads pictures.
        channels_last: Pixels before channels (NHWC). Defaults to False: NCHW.
    """

    scale: tuple[int, int] | None = None
    keep_ratio: bool = False
    pad_val: int | None = 114
    center: bool = False
    mean: Sequence[float] = (0.0,)
    std: Sequence[float] = (1.0,)
    bgr_to_rgb: bool = False
    channels_last: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any] | None) -> Preprocess:
        """Make one of a config dict.

        Raises:
            UserError: If a key is unknown or a value cannot be.
        """
        config = dict(config or {})
        if problems := check_keys('preprocess', config, [field.name for field in fields(cls)]):
            raise UserError(*problems)
        hints = get_type_hints(cls)
        # Its own message below names (width, height).
        del hints['scale']
        if problems := check_types('preprocess', config, hints):
            raise UserError(*problems)
        for name in ('mean', 'std'):
            if name in config and len(config[name]) not in (1, 3):
                expected = 'is neither one number nor three, one a channel'
                raise UserError(problem(f'preprocess.{name}', config[name], expected))
        if 0 in config.get('std', ()):
            raise UserError(problem('preprocess.std', config['std'], 'is divided by'))
        scale = config.get('scale')
        if scale is not None:
            whole = isinstance(scale, Sequence) and [isinstance(s, int) and s > 0 for s in scale]
            if whole != [True, True]:
                raise UserError(problem('preprocess.scale', scale, 'is not (width, height)'))
            config['scale'] = tuple(scale)
        return cls(**config)

    @property
    def normalizes(self) -> bool:
        """Whether pixels are more than moved about."""
        return any(self.mean) or any(value != 1 for value in self.std)

    def check_dtype(self, dtype: Any, key: str) -> None:
        """Check that a model's input can hold the prepared pixels.

        Args:
            dtype: Of the input.
            key: The argument that names the model, for messages.

        Raises:
            UserError: If numbers would be cut off: normalised ones by a model of whole numbers.
        """
        name = np.dtype(dtype).name
        if np.issubdtype(dtype, np.floating):
            return
        if self.normalizes:
            raise UserError(
                fault(
                    'preprocess',
                    f'mean and std normalise pixels, but the model takes {name}: leave them out',
                )
            )
        if not np.can_cast(np.uint8, dtype):
            raise UserError(fault(key, f'takes {name}, which holds no pixel from 0 to 255'))

    def __call__(
        self, pixels: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32] | NDArray[np.uint8], Geometry]:
        """Prepare one picture.

        Args:
            pixels: ``(h, w, 3)`` uint8, BGR.

        Returns:
            ``(3, height, width)``, or ``(height, width, 3)`` with ``channels_last``: float32,
            or uint8 where nothing is normalised; and where the picture lies in it.
        """
        array, geometry = self._placed(pixels)
        if self.bgr_to_rgb:
            array = array[..., ::-1]
        if self.normalizes:
            mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
            array = (array.astype(np.float32) - mean) / std
            if self.pad_val is None:
                array = _blank_around(array, geometry, pixels.shape[:2])
        array = array if self.channels_last else array.transpose(2, 0, 1)
        return np.ascontiguousarray(array), geometry

    def resized(self, old_width: int, old_height: int) -> tuple[int, int]:
        """Return the width and height to which a picture is resized."""
        assert self.scale is not None
        width, height = self.scale
        if not self.keep_ratio:
            return width, height
        ratio = min(width / old_width, height / old_height)
        # By the ratio: of a scale MMCV takes the longer edge for the picture's longer one.
        new_width, new_height = mmcv.rescale_size((old_width, old_height), ratio)
        # Of a picture that is a line, a pixel stays.
        return max(int(new_width), 1), max(int(new_height), 1)

    def _placed(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[Any], Geometry]:
        assert self.scale is not None
        width, height = self.scale
        old_height, old_width = pixels.shape[:2]
        new_width, new_height = self.resized(old_width, old_height)
        array = cv2.resize(pixels, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
        left = (width - new_width) // 2 if self.center else 0
        top = (height - new_height) // 2 if self.center else 0
        if (new_width, new_height) != (width, height):
            right, bottom = width - new_width - left, height - new_height - top
            array = cv2.copyMakeBorder(
                array, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(self.pad_val or 0,) * 3
            )
        return array, Geometry((new_width / old_width, new_height / old_height), (left, top))


def _blank_around(
    array: NDArray[np.float32], geometry: Geometry, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return an input that is 0 where the picture of ``shape`` does not lie."""
    left, top = geometry.offset
    right = left + round(shape[1] * geometry.factor[0])
    bottom = top + round(shape[0] * geometry.factor[1])
    blank = np.zeros_like(array)
    blank[top:bottom, left:right] = array[top:bottom, left:right]
    return blank
