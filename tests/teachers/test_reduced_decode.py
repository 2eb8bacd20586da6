"""JPEGs decoded at a fraction of their size: boxes lie in the whole picture all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image, iou
from mmcompose.teachers import PreparedTeacher, teacher_identity
from mmcompose.utils import UserError

# x1 y1 x2 y2 score label, in a 64x64 input.
ROWS = np.array([[8, 16, 40, 48, 1, 2]], np.float32)


def _build(config: dict[str, Any], **changes: Any) -> PreparedTeacher:
    teacher: PreparedTeacher = build(TEACHERS, {**config, **changes}, 'teacher')
    return teacher


@pytest.fixture
def onnx(make_onnx: Callable[..., str]) -> dict[str, Any]:
    """A model that takes 64 x 64 pixels."""
    return {
        'type': 'mmcompose.ONNXTeacher',
        'model': make_onnx({'o': (ROWS, np.zeros_like(ROWS))}),
        'classes': ['a', 'b', 'c'],
        'decode': 'ultralytics',
    }


@pytest.fixture
def picture(make_images: Callable[..., list[Image]]) -> Callable[..., Image]:
    """Makes a picture of a format and size."""

    def make(suffix: str = '.jpg', size: tuple[int, int] = (803, 601)) -> Image:
        (drawn,) = make_images(size)
        path = Path(drawn.path).with_suffix(suffix)
        cv2.imwrite(str(path), drawn.pixels, [cv2.IMWRITE_JPEG_QUALITY, 98])
        return Image(path.name, str(path), *size)

    return make


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The sizes at which pictures are decoded."""
    sizes = []
    real = cv2.imdecode

    def imdecode(*args: Any) -> Any:
        pixels = real(*args)
        sizes.append(pixels.shape[1::-1])
        return pixels

    monkeypatch.setattr(cv2, 'imdecode', imdecode)
    return sizes


@pytest.mark.parametrize(
    ('size', 'expected'),
    [
        ((803, 601), (101, 76)),
        ((601, 803), (76, 101)),
        ((511, 600), (128, 150)),
        ((256, 255), (128, 128)),
        ((127, 500), (127, 500)),
        ((64, 64), (64, 64)),
    ],
)
def test_a_picture_is_decoded_at_no_less_than_the_model_takes(
    size: tuple[int, int],
    expected: tuple[int, int],
    onnx: dict[str, Any],
    picture: Callable[..., Image],
    decoded: list[tuple[int, ...]],
) -> None:
    image = picture(size=size)
    decoded.clear()
    (found,) = _build(onnx, reduced_decode=True).predict([image])
    assert decoded == [expected]
    stretched = ROWS[0, :4] * np.array([*size, *size]) / 64
    np.testing.assert_allclose(found.boxes[0], stretched, atol=0.01)


def test_letterboxed_pictures_lie_where_they_did(
    onnx: dict[str, Any], picture: Callable[..., Image]
) -> None:
    image, preprocess = picture(), {'keep_ratio': True, 'center': True}
    (whole,) = _build(onnx, preprocess=preprocess).predict([image])
    (reduced,) = _build(onnx, preprocess=preprocess, reduced_decode=True).predict([image])
    # A pixel of the input is 12 of the picture.
    np.testing.assert_allclose(whole.boxes, reduced.boxes, atol=3)


@pytest.mark.parametrize('tta', [False, True])
def test_mmdetection_finds_nearly_the_same(
    tta: bool,
    teacher_config: dict[str, Any],
    picture: Callable[..., Image],
    decoded: list[tuple[int, ...]],
) -> None:
    image = picture()
    (whole,) = _build(teacher_config, tta=tta).predict([image])
    image.forget_pixels()
    decoded.clear()
    (reduced,) = _build(teacher_config, tta=tta, reduced_decode=True).predict([image])
    assert decoded == [(201, 151)]
    assert len(whole)
    near = iou(whole.boxes, reduced.boxes) * (whole.labels[:, None] == reduced.labels)
    assert np.mean(near.max(axis=1) > 0.9) > 0.8


@pytest.mark.parametrize('keep_ratio', [False, True])
def test_a_scale_may_be_one_number(
    keep_ratio: bool,
    teacher_config: dict[str, Any],
    picture: Callable[..., Image],
    decoded: list[tuple[int, ...]],
) -> None:
    resize = {'type': 'Resize', 'scale': 160, 'keep_ratio': keep_ratio}
    steps = [{'type': 'LoadImageFromFile'}, resize, {'type': 'PackDetInputs'}]
    options = {'test_dataloader.dataset.pipeline': steps}
    image = picture()
    decoded.clear()
    _build(teacher_config, reduced_decode=True, cfg_options=options).predict([image])
    # To no less than 160 x 120, or 160 x 160.
    assert decoded == [(201, 151) if keep_ratio else (402, 301)]


def test_other_formats_and_other_pixels_stay_whole(
    onnx: dict[str, Any], picture: Callable[..., Image], decoded: list[tuple[int, ...]]
) -> None:
    teacher = _build(onnx, reduced_decode=True)
    image = picture('.png')
    decoded.clear()
    (found,) = teacher.predict([image])
    assert decoded == [(803, 601)] and len(found) == 1
    mirrored = {'type': 'mmcompose.EnsembleTeacher', 'flip': True}
    one = {**onnx, 'reduced_decode': True}
    (found,) = _build(mirrored, members=[one]).predict([picture()])
    # A model that always answers alike finds a box here and, mirrored, there.
    assert sorted(found.boxes[:, 0].round().tolist()) == [100, 301]


def test_it_is_part_of_the_teachers_identity(onnx: dict[str, Any]) -> None:
    first, second = onnx, {**onnx, 'reduced_decode': True}
    assert teacher_identity(first, _build(first)) != teacher_identity(second, _build(second))


def test_a_pipeline_without_a_scale_is_told(teacher_config: dict[str, Any]) -> None:
    steps = [{'type': 'LoadImageFromFile'}, {'type': 'PackDetInputs'}]
    options = {'test_dataloader.dataset.pipeline': steps}
    with pytest.raises(UserError, match=r'teacher\.reduced_decode: needs a test pipeline with'):
        _build(teacher_config, reduced_decode=True, cfg_options=options)
