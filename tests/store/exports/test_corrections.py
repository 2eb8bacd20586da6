"""Tests of corrected labels: what was exported comes back, and what does not fit is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.store.exports import FORMATS, export, read_corrections
from mmcompose.structures import Detections, Image
from mmcompose.utils import UserError
from tests import toys

CLASSES = ('traffic light', 'a "quoted" & <b>bold</b> one', 'dog')


@pytest.fixture
def images(tmp_path: Path) -> list[Image]:
    toys.draw(tmp_path / 'pool', 4)
    return toys.images_in(tmp_path / 'pool')


@pytest.fixture
def labels() -> list[Detections]:
    return [toys.random_detections(number, 3 - number).sorted() for number in range(3)]


def _annotated(path: Path, cancelled: tuple[int, ...] = ()) -> None:
    """Turn predictions into annotations, as Label Studio exports them after a review."""
    tasks: list[dict[str, Any]] = json.loads(path.read_text())
    for number, task in enumerate(tasks):
        result = task.pop('predictions')[0]['result']
        task['annotations'] = [{'result': result, 'was_cancelled': number in cancelled}]
    path.write_text(json.dumps(tasks))


@pytest.mark.parametrize('source', ['labelstudio', 'cvat', 'coco', 'yolo'])
def test_a_round_trip_loses_no_box(
    source: str, images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    path = export(source, images[:3], labels, CLASSES, out=tmp_path / FORMATS[source].default)
    if source == 'labelstudio':
        _annotated(path)
    # The pool's last picture was not reviewed.
    seen, found = read_corrections(source, str(path), images, CLASSES)
    assert [image.key for image in seen] == ['000.png', '001.png', '002.png']
    for one, other in zip(found, labels, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=0.01)
        np.testing.assert_array_equal(one.labels, other.labels)
        assert (one.scores == 1).all()


def test_a_cancelled_annotation_is_no_review(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    path = export('labelstudio', images[:3], labels, CLASSES, out=tmp_path / 'tasks.json')
    _annotated(path, cancelled=(1,))
    seen, _ = read_corrections('labelstudio', str(path), images, CLASSES)
    assert [image.key for image in seen] == ['000.png', '002.png']


def test_what_does_not_fit_is_named(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    path = str(export('cvat', images[:3], labels, CLASSES, out=tmp_path / 'cvat.xml'))
    with pytest.raises(UserError, match=r"--corrected: '\w+.*' is no class of the student"):
        read_corrections('cvat', path, images, ['cat'])
    with pytest.raises(UserError, match=r"--corrected: '000\.png' is no picture of the pool"):
        read_corrections('cvat', path, images[3:], CLASSES)
    with pytest.raises(UserError, match=r"--from: 'cva' is not one of .*did you mean 'cvat'"):
        read_corrections('cva', path, images, CLASSES)
    with pytest.raises(UserError, match='is no JSON export of tasks'):
        (tmp_path / 'other.json').write_text('[{"data": {}}]')
        read_corrections('labelstudio', str(tmp_path / 'other.json'), images, CLASSES)
