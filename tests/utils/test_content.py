"""Tests of what a config dict comes to with the content of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from mmcompose.utils import Name, content_of


class Detector:
    """Takes arguments of each kind."""

    def __init__(
        self,
        weights: str | Path = 'default.pth',
        decode: Name | Mapping[str, Any] = 'yolox',
        classes: Name | Sequence[Name] | None = None,
        mode: Literal['fast', 'exact'] | None = 'fast',
        pairs: list[tuple[Name, Name]] | None = None,
        further: Mapping[str, Any] | None = None,
        thresholds: Sequence[float] = (0.1, 0.2),
        untyped=object(),
    ) -> None:
        pass


def content(**config: Any) -> dict[str, Any]:
    return content_of({'type': 'Detector', **config}, Detector)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory whose files and folders bear the names of other things."""
    monkeypatch.chdir(tmp_path)
    for name in ('yolox', 'coco', 'exact', 'Detector'):
        (tmp_path / name).mkdir()
    (tmp_path / 'cat').write_bytes(b'a file')
    return tmp_path


@pytest.mark.parametrize(
    'config',
    [
        {'decode': 'coco'},
        {'decode': {'type': 'yolox', 'score_thr': 0.1}},
        {'classes': 'coco'},
        {'classes': ['coco', 'cat']},
        {'mode': 'exact'},
        {'pairs': [['cat', 'coco']]},
        {'further': {'models': [{'type': 'yolox'}]}},
    ],
)
def test_a_file_or_folder_that_bears_a_name_is_no_part_of_it(config: dict[str, Any]) -> None:
    assert content(**config) == {'type': 'Detector', **config}


@pytest.mark.parametrize('name', ['cat', 'yolox'])
@pytest.mark.parametrize('kind', [str, Path])
def test_a_path_stands_for_what_is_there(name: str, kind: type, folder: Path) -> None:
    path = kind(name)
    given = [{'weights': path}, {'untyped': path}, {'further': {'deep': [path]}}]
    given += [{'decode': {'type': 'my.decoder', 'table': path}}]
    before = [content(**each) for each in given]
    file = folder / name / 'file' if (folder / name).is_dir() else folder / name
    file.write_bytes(b'something else')
    after = [content(**each) for each in given]
    assert all(one != other for one, other in zip(before, after, strict=True))
    other = Path if kind is str else str
    assert content(weights=other(name)) == after[0]


def test_a_text_too_long_for_a_path_is_a_text() -> None:
    text = 'x' * 5000
    assert content(further={'prompt': text})['further'] == {'prompt': text}


def test_a_written_default_is_as_good_as_an_unwritten_one() -> None:
    assert content(decode='yolox', classes=None, thresholds=[0.1, 0.2]) == content()
    assert content(thresholds=[0.1, 0.3]) != content()


def test_the_file_that_a_default_names_counts(folder: Path) -> None:
    before = content()
    (folder / 'default.pth').write_bytes(b'weights')
    assert content() == content(weights='default.pth') != before


def test_what_is_left_out_is_not_looked_at() -> None:
    config = {'type': 'Detector', 'untyped': {'weights': 'cat'}, 'mode': 'exact'}
    assert content_of(config, Detector, {'untyped'}) == {'type': 'Detector', 'mode': 'exact'}
