"""What an exported detector takes: a fixed size, and how a picture comes to lie in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from mmcompose.registry import type_name
from mmcompose.teachers.mmdet.pipeline import test_steps
from mmcompose.utils import UserError, problem

_NO_CHANGE = ('LoadImageFromFile', 'LoadAnnotations', 'PackDetInputs')


@dataclass(frozen=True)
class OnnxInput:
    """The input of an exported detector.

    Args:
        size: (width, height), in pixels.
        preprocess: Arguments of :class:`mmcompose.teachers.preprocess.Preprocess`.
    """

    size: tuple[int, int]
    preprocess: dict[str, Any]

    @property
    def blank_around(self) -> bool:
        """Whether the input is 0 where no picture lies; a mean that is no grey level has none."""
        mean = self.preprocess.get('mean', [0])
        return self.preprocess['pad_val'] is None and any(value % 1 for value in mean)


def read_input(config: Config, size: tuple[int, int] | None = None) -> OnnxInput:
    """Return the fixed input that a config's test pipeline comes nearest to.

    A pipeline that pads to a fixed size (YOLOX, RTMDet) is the same. One that resizes within a
    scale, the long side along whichever side of the picture is longer, becomes a letterbox.

    Args:
        config: A whole config.
        size: Another (width, height). Defaults to the config's own.

    Raises:
        UserError: If there is no test pipeline, or it does more than resizing and padding; if
            ``size`` is none.
    """
    if size is not None and min(size) < 1:
        raise UserError(problem('size', tuple(size), 'is no width and height of 1 pixel or more'))
    steps = {type_name(step): step for step in test_steps(config)}
    for name in steps:
        if name not in (*_NO_CHANGE, 'Resize', 'Pad'):
            expected = 'is a step that an ONNX file cannot hold (expected: Resize, Pad)'
            raise UserError(problem('test_pipeline', name, expected))
    resize, pad = steps.get('Resize'), steps.get('Pad')
    if resize is None or 'scale' not in resize:
        raise UserError(problem('test_pipeline', list(steps), 'resizes to no scale; name --size'))
    before = dict(config.model.get('data_preprocessor') or {})
    scale = resize['scale']
    # One number is both sides, as MMCV has it.
    own = (scale, scale) if isinstance(scale, int) else tuple(scale)
    if pad and pad.get('size'):
        own = tuple(pad['size'])
    width, height = _multiple(size or own, before.get('pad_size_divisor', 1))
    preprocess = {
        'scale': [width, height],
        'keep_ratio': bool(resize.get('keep_ratio', False)),
        'pad_val': _padding(pad, before),
        'bgr_to_rgb': bool(before.get('bgr_to_rgb', False)),
    }
    if before.get('mean') is not None:
        preprocess |= {'mean': list(before['mean']), 'std': list(before['std'])}
    return OnnxInput((width, height), preprocess)


def _multiple(size: tuple[int, ...], divisor: int) -> tuple[int, int]:
    width, height = (-(-side // divisor) * divisor for side in size)
    return width, height


def _padding(pad: Mapping[str, Any] | None, before: Mapping[str, Any]) -> int | None:
    """Return what fills the rest of a letterbox; None for 0 after normalizing."""
    value = before.get('pad_value', 0) if pad is None else pad.get('pad_val', 0)
    value = value.get('img', 0) if isinstance(value, Mapping) else value
    values = set(value) if isinstance(value, (list, tuple)) else {value}
    if len(values) > 1 or (pad is None and values != {0}):
        raise UserError(problem('pad_val', value, 'is not one number for all channels'))
    return None if pad is None else int(values.pop())
