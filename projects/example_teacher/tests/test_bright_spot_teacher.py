"""The example teacher, built through the registry as by a config."""

import example_teacher  # noqa: F401, registers it
import numpy as np
import pytest

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image
from mmcompose.utils import UserError


def _image() -> Image:
    image = Image('a', 'a.png', 40, 30)
    vars(image)['pixels'] = np.zeros((30, 40, 3), np.uint8)
    return image


def test_it_finds_bright_spots() -> None:
    image = _image()
    image.pixels[5:15, 10:20] = 255
    image.pixels[20:22, 30:32] = 255  # too small
    teacher = build(TEACHERS, {'type': 'BrightSpotTeacher'}, 'composition.teachers.spots')
    (found,) = teacher.predict([image])
    assert teacher.classes == ('spot',)
    assert found.boxes.tolist() == [[10, 5, 20, 15]]
    assert found.scores.tolist() == [1]


def test_a_dark_picture_has_none() -> None:
    (found,) = build(TEACHERS, {'type': 'BrightSpotTeacher'}, 'spots').predict([_image()])
    assert len(found) == 0


def test_a_mistake_is_told_with_its_key() -> None:
    with pytest.raises(UserError, match=r'^composition\.teachers\.spots\.threshold: 300 is not'):
        config = {'type': 'BrightSpotTeacher', 'threshold': 300}
        build(TEACHERS, config, 'composition.teachers.spots')
