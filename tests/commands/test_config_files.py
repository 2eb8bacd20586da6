"""Tests of reading a config that a command line names."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmcompose.commands.config_files import read_config_file
from mmcompose.utils import UserError

WHERE = 'configs/compose/voc'


@pytest.mark.parametrize(
    'path',
    [
        f'{WHERE}/yolox_nano.py',
        'configs/compose/vocs/yolox-nano.py',
        'config/compose/voc/yolox-nano.py',
    ],
    ids=['file', 'folder', 'first folder'],
)
def test_a_missing_config_is_told_with_the_nearest(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / WHERE).mkdir(parents=True)
    for name in ('yolox-nano.py', 'retinanet.py'):
        (tmp_path / WHERE / name).touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        read_config_file(path)
    assert str(caught.value) == (
        f"config: {path!r} is no file; did you mean '{WHERE}/yolox-nano.py'?"
    )


def test_where_there_are_no_configs_none_is_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^config: 'a/b.py' is no file$"):
        read_config_file('a/b.py')
