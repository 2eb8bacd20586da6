"""Tests of `mmcompose store`: what is in a store, what is damaged, what may go."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmcompose import cli
from mmcompose.commands.load import load
from mmcompose.store import LabelStore
from tests.engine.toys import student_config
from tests.store.toys import SmallStore, boxes_of, images, make


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of two teachers."""
    make(SmallStore(tmp_path / 'store'), images(7), 'a', 'b')
    return tmp_path / 'store'


def test_each_act_prints_what_it_did(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for act in ('info', 'verify', 'gc', 'compact'):
        cli.main(['store', act, str(store)])
        shown[act] = capsys.readouterr().out
    for name in 'ab':
        assert SmallStore(store).predictions(name).folder in shown['info']
    assert '8 files are sound' in shown['verify']
    assert '0 removed' in shown['gc']
    assert '6 parts merged' in shown['compact']


def test_damage_is_a_line_a_file_and_exit_code_2(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = sorted(store.rglob('*.parquet'))[1]
    damaged.write_bytes(b'')
    with pytest.raises(SystemExit) as ended:
        cli.main(['store', 'verify', str(store)])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(damaged) in line and 'is damaged' in line


@pytest.mark.parametrize('where', ['nowhere', ''])
def test_a_place_without_a_store_is_told(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(['store', 'info', str(tmp_path / where) if where else ''])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(('error: store: ', 'error: composition.store: '))


@pytest.mark.parametrize('act', ['info', 'verify', 'gc', 'compact'])
@pytest.mark.parametrize('folder', ['work', 'boxes', 'labels', 'src'])
def test_a_folder_of_other_things_is_left_as_it_is(
    act: str, folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    precious = tmp_path / folder / 'mine' / 'notes.tmp'
    precious.parent.mkdir(parents=True)
    precious.write_text('mine')
    with pytest.raises(SystemExit) as ended:
        cli.main(['store', act, str(tmp_path)])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'no label store' in line and 'delete' not in line
    assert precious.read_text() == 'mine'


def test_a_misspelt_place_is_told_with_the_nearest(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(['store', 'info', str(store.with_name('stoer'))])
    assert f'did you mean {str(store)!r}?' in capsys.readouterr().err


def test_configs_keep_the_features_that_they_compare(
    pool: Path, truth: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = student_config(pool, truth, tmp_path)
    config.dump(tmp_path / 'plain.py')
    config.composition.label_pipeline.insert(1, {'type': 'mmcompose.AppearanceCheck'})
    config.dump(tmp_path / 'compares.py')
    compared = load(config).makers - load(str(tmp_path / 'plain.py')).makers
    store = LabelStore(config.composition.store)
    store.begin()
    for identity in ('old', *compared):
        store.features(identity).write('part', images(1), [boxes_of(images(1)[0])])
    kept = []
    for name in ('compares', 'plain'):
        cli.main(['store', 'gc', config.composition.store, '--keep', str(tmp_path / f'{name}.py')])
        kept.append(store.location.names('features'))
    assert '1 removed' in capsys.readouterr().out
    assert kept == [[store.features(*compared).fingerprint], []]
