"""Tests of what FiftyOne is given; FiftyOne itself is for an environment of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch

import mmcompose
from mmcompose.composition import Composition
from mmcompose.structures import Detections, Image
from mmcompose.utils import UserError
from tests import toys
from tests.engine.toys import damaged_config, student_config


class Sample(dict[str, Any]):
    def __init__(self, filepath: str) -> None:
        super().__init__(filepath=filepath)


class Dataset:
    names: ClassVar[set[str | None]] = set()

    def __init__(self, name: str | None) -> None:
        if name in self.names:
            raise ValueError(f"Dataset name '{name}' is not available")
        self.names.add(name)
        self.name = name
        self.samples: list[Sample] = []
        self.default_classes: list[str] = []

    def add_samples(self, samples: Iterable[Sample], num_samples: int, progress: bool) -> None:
        self.samples += samples
        assert len(self.samples) == num_samples

    def delete(self) -> None:
        self.names.remove(self.name)


def _interrupted(composition: Composition) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def fiftyone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module with what `to_fiftyone` takes of it."""
    module: Any = ModuleType('fiftyone')
    module.Sample, module.Dataset = Sample, Dataset
    module.Detection = module.Detections = SimpleNamespace
    monkeypatch.setitem(sys.modules, 'fiftyone', module)
    monkeypatch.setattr(Dataset, 'names', set())


@pytest.mark.usefixtures('fiftyone')
def test_teachers_and_labels_are_fields_of_their_own(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    dataset = mmcompose.to_fiftyone(student_config(pool, truth, tmp_path), name='toys')
    assert dataset.name == 'toys' and dataset.default_classes == list(toys.STUDENT)
    assert len(dataset.samples) == 8
    sample = dataset.samples[0]
    assert sample['filepath'] == str(pool / '000.png')
    assert [len(sample[name].detections) for name in ('first', 'second', 'fused')] == [2, 2, 3]
    (red,) = (each for each in sample['fused'].detections if each.label == 'red')
    assert red.votes == ['first', 'second'] and red.ignored is False
    found = next(each for each in sample['first'].detections if each.label == 'red')
    assert not hasattr(found, 'votes') and 0 < found.confidence < 1
    # Left, top, width and height, as shares of 96x64 pixels.
    left, top, width, height = red.bounding_box
    assert left + width < 1 / 3 and 16 / 96 <= width < 24 / 96 and top + height <= 1
    assert len(dataset.samples[3]['fused'].detections) == 0


@pytest.mark.usefixtures('fiftyone')
def test_labels_without_votes_tell_which_of_them_are_ignored(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    del config.composition.teachers.second
    config.composition.label_pipeline = [
        {'type': 'mmcompose.ScoreFilter', 'min_score': 0.05},
        {'type': 'mmcompose.ScoreBands', 'keep': 0.999, 'ignore': 0.1},
    ]
    dataset = mmcompose.to_fiftyone(config)
    labels = [each for sample in dataset.samples for each in sample['fused'].detections]
    assert labels and all(each.ignored is True for each in labels)
    found = [each for sample in dataset.samples for each in sample['first'].detections]
    assert not any(each.ignored for each in found)


@pytest.mark.usefixtures('fiftyone')
def test_a_name_that_is_taken_is_told_before_any_work_and_kept_by_no_failure(
    pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = student_config(pool, truth, tmp_path)
    Dataset('toys')
    with pytest.raises(UserError, match=r"^name: 'toys' is refused by FiftyOne: .* not available"):
        mmcompose.to_fiftyone(config, name='toys')
    assert not (tmp_path / 'store').exists()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Composition, 'labels', _interrupted)
        mmcompose.to_fiftyone(config, name='others')
    assert mmcompose.to_fiftyone(config, name='others').name == 'others'


@pytest.mark.usefixtures('fiftyone')
def test_a_picture_that_cannot_be_read_is_no_sample(
    pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = damaged_config(pool, truth, tmp_path)

    def predict(images: list[Image]) -> list[Detections]:
        return [Detections() for image in images if image.pixels.size]

    student = SimpleNamespace(predict=predict)
    monkeypatch.setattr('mmcompose.commands.to_fiftyone.open_trained', lambda *_: student)
    dataset = mmcompose.to_fiftyone(config, student='student.pth')
    names = [Path(sample['filepath']).name for sample in dataset.samples]
    assert names == [f'{number:03}.png' for number in range(8) if number != 2]


@pytest.mark.usefixtures('fiftyone')
def test_a_student_of_other_classes_is_told_before_any_work(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    student = tmp_path / 'student.pth'
    meta = {'dataset_meta': {'classes': toys.STUDENT[::-1]}}
    torch.save({'state_dict': {}, 'meta': meta}, student)
    config = student_config(pool, truth, tmp_path)
    with pytest.raises(UserError, match=r'^student\.checkpoint: .* was trained on other classes'):
        mmcompose.to_fiftyone(config, student=str(student), name='toys')
    assert not (tmp_path / 'store').exists() and not Dataset.names


def test_where_fiftyone_is_missing(pool: Path, truth: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pip install 'mmcompose\[fiftyone\]'"):
        mmcompose.to_fiftyone(student_config(pool, truth, tmp_path))
