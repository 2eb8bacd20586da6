"""PictureFeatures: what each place of a picture looks like, by a network trained on ImageNet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.cnn import fuse_conv_bn
from numpy.typing import NDArray
from torch.nn import functional

from mmcompose.models.efficientnet_lite import (
    PACKAGE,
    EfficientNetLite0,
    imagenet_weights,
    weights_file,
)
from mmcompose.registry import FEATURES
from mmcompose.structures import Detections, Image
from mmcompose.teachers import PreparedTeacher
from mmcompose.utils import Count

# Of the stages that are read: 112 channels at half the stride, and 320 at the last.
_STAGES, _STRIDE = (4, 5), 32


@FEATURES.register_module()
class PictureFeatures(PreparedTeacher):
    """Divides a picture into cells, and returns what each looks like.

    One pass of EfficientNet-Lite0 over the whole picture, whose boxes are described by the cells
    that they cover: nearest neighbors have the same class nearly as often as where each box is cut
    out and passed through by itself, in a fraction of the time. Stored as a teacher's predictions
    are.

    Args:
        long_side: To how many pixels the longer side of a picture is resized. Defaults to 320:
            about what the smallest detectors take.
        device: Where it runs. Defaults to the GPU if there is one.

    Raises:
        UserError: If the package that holds the weights is not installed.
    """

    classes = ('cell',)
    unaddressed = frozenset({'device'})

    def __init__(self, long_side: Count = 320, device: str | None = None) -> None:
        weights_file()
        self._long_side = long_side
        self._device = device or ('cuda' if torch.cuda.is_available() else 'cpu')

    @property
    def identity(self) -> Any:
        """See :attr:`Teacher.identity`: which weights. No device: the last digits are its own."""
        return {'weights': version(PACKAGE), 'long_side': self._long_side, 'revision': 1}

    @cached_property
    def _model(self) -> EfficientNetLite0:
        model = EfficientNetLite0(pretrained=False, out_indices=_STAGES)
        model.load_state_dict(imagenet_weights(model))
        model.eval()
        # In place: a quarter of the time on a CPU, for what differs in the fifth digit.
        fuse_conv_bn(model)
        model.to(self._device).to(memory_format=torch.channels_last)
        return model

    @property
    def num_parameters(self) -> int:
        """See :attr:`Teacher.num_parameters`."""
        return sum(parameter.numel() for parameter in self._model.parameters())

    @property
    def batch_size(self) -> int:
        """2 on a CPU, whose caches more would leave; 32 on a GPU. Nothing is padded."""
        return 2 if self._device == 'cpu' else 32

    def prepare(self, image: Image) -> tuple[NDArray[np.uint8], float]:
        """Return a picture as the network takes it, and by what it was scaled."""
        return _resized(image.pixels, self._long_side)

    def shape_of(self, prepared: tuple[NDArray[np.uint8], float]) -> tuple[int, ...]:
        """See :meth:`PreparedTeacher.shape_of`."""
        return prepared[0].shape

    def predict_prepared(
        self, images: Sequence[Image], prepared: Sequence[tuple[NDArray[np.uint8], float]]
    ) -> list[Detections]:
        """Return the cells of each image, with ``features``."""
        pixels, scales = zip(*prepared, strict=True)
        rows, columns = (side // _STRIDE for side in pixels[0].shape[:2])
        features = self._features(np.stack(pixels))
        return [_cells(*each, rows, columns) for each in zip(features, scales, strict=True)]

    @torch.no_grad()
    def _features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
        """Return ``(B, cells, D)`` of pictures ``(B, H, W, 3)``."""
        # Their channels are last in memory already.
        inputs = torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2)
        fine, coarse = self._model((inputs.float() - 127) / 128)
        fine = functional.avg_pool2d(fine, 2)
        # Alike in length, lest one stage drown the other.
        both = [functional.normalize(each, dim=1).flatten(2) for each in (fine, coarse)]
        cells = torch.cat(both, dim=1).mT.to(torch.float16).contiguous()
        features: NDArray[np.float16] = cells.cpu().numpy()
        return features


def _cells(features: NDArray[np.float16], scale: float, rows: int, columns: int) -> Detections:
    """Return the cells of a picture, row after row."""
    y, x = np.mgrid[:rows, :columns].reshape(2, -1)
    corners = np.stack([x, y, x + 1, y + 1], axis=1)
    boxes = (corners * (_STRIDE / scale)).astype(np.float32)
    ones, labels = np.ones(len(boxes), np.float32), np.zeros(len(boxes), np.int64)
    return Detections(boxes, ones, labels, features=features)


def _resized(pixels: NDArray[np.uint8], long_side: int) -> tuple[NDArray[np.uint8], float]:
    """Return a picture as RGB, resized and padded to whole cells, and by what it was scaled."""
    height, width = pixels.shape[:2]
    scale = long_side / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    resized = pixels if size == (width, height) else cv2.resize(pixels, size)
    rows, columns = (-(-side // _STRIDE) * _STRIDE for side in size[::-1])
    # Grey is 0 to the network.
    padded = np.full((rows, columns, 3), 127, np.uint8)
    padded[: size[1], : size[0]] = resized[..., ::-1]
    return padded, scale
