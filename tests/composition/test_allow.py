"""What a composition allows reaches its teachers, wherever they predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mmcompose.composition import Composition
from mmcompose.teachers import evidence
from mmcompose.utils import UserError
from tests import toys


def relative(pixels: NDArray[np.uint8], colours: list[str]) -> Any:
    """Find what :func:`toys.see` does, in shares of the picture's sides."""
    boxes, scores, labels = toys.see(pixels, colours)
    height, width = pixels.shape[:2]
    return boxes / np.array([width, height] * 2, np.float32), scores, labels


def _composition(store: Path, **more: Any) -> Composition:
    first = {**toys.TEACHERS['first'], 'function': f'{__name__}.relative'}
    return Composition(**toys.composition(store, teachers={'first': first}, **more))


def test_a_doubt_names_the_teacher_and_how_to_allow_it(pool: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        _composition(tmp_path / 'store').labels(toys.images_in(pool))
    (line,) = caught.value.lines
    assert line.startswith('composition.teachers.first.boxes: all ')
    assert line.endswith("; allow=['relative-boxes'] makes this a warning")


def test_what_is_allowed_is_a_warning(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.utils.doubts.warn', told.append)
    monkeypatch.setattr(evidence, 'warn', told.append)
    allow = ['relative-boxes', 'tiny-boxes']
    composition = _composition(tmp_path / 'store', allow=allow)
    assert composition.resolved['allow'] == allow
    assert len(composition.labels(toys.images_in(pool)).table) == 8
    # Once, however many pictures it is true of.
    assert len(told) == 1 and 'relative (0 to 1)' in told[0]


def test_a_name_of_no_check_is_a_mistake_of_the_config(tmp_path: Path) -> None:
    config = toys.composition(tmp_path / 'store', allow=['relative-box'])
    with pytest.raises(UserError, match=r"composition.allow\[0\]: 'relative-box' is no check; did"):
        Composition.from_config(config)
