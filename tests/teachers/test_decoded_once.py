"""A picture is read and decoded once, however many teachers of whatever kind look at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import mmcv
import mmengine.fileio
import numpy as np
import pytest

import mmcompose.structures.image
from mmcompose.composition import Composition
from mmcompose.structures import Image


def brightness(pixels: np.ndarray) -> tuple[Any, Any, Any]:
    """One box around the picture."""
    height, width = pixels.shape[:2]
    return [[0, 0, width, height]], [pixels.mean() / 255], [0]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each way of reading or decoding a picture was gone."""
    counts: Counter[str] = Counter()

    def count(module: Any, name: str) -> None:
        real = getattr(module, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            counts[name] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, counted)

    count(mmcompose.structures.image, 'read_bytes')
    for name in ('imdecode', 'imread'):
        count(cv2, name)
    # What MMDet's own loader would call.
    count(mmcv, 'imfrombytes')
    count(mmengine.fileio, 'get')
    return counts


def test_six_looks_are_one_decoding(
    teacher_config: dict[str, Any],
    make_onnx: Callable[..., str],
    make_images: Callable[..., list[Image]],
    looks: Counter[str],
    tmp_path: Path,
) -> None:
    rows = np.array([[8, 16, 40, 48, 0, 2]], np.float32)
    brighter = np.array([[0, 0, 0, 0, 1, 0]], np.float32)
    classes = ['cat', 'dog', 'tree']
    onnx = {
        'type': 'mmcompose.ONNXTeacher',
        'model': make_onnx({'o': (rows, brighter)}),
        'classes': classes,
        'decode': 'ultralytics',
    }
    function = {
        'type': 'mmcompose.FunctionTeacher',
        'function': f'{__name__}.brightness',
        'classes': classes,
    }
    teachers = {
        'mmdet': teacher_config,
        'augmented': {**teacher_config, 'tta': True},
        'onnx': onnx,
        'function': function,
        'ensemble': {
            'type': 'mmcompose.EnsembleTeacher',
            'members': [onnx, teacher_config],
            'flip': True,
        },
    }
    images = make_images((80, 60), (60, 80), (80, 60))
    composition = Composition(
        teachers,
        label_pipeline=[{'type': 'mmcompose.WeightedBoxesFusion'}],
        store=str(tmp_path / 'store'),
        workers=1,
    )
    said = composition.predictions(images)
    assert all(len(said[name][row]) for name in teachers for row in range(len(images)))
    assert looks == {'read_bytes': len(images), 'imdecode': len(images)}
