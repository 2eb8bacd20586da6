"""Tests of the tools around labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests import toys
from tests.tools.running import fails, run_forked, run_here, write_config, write_teacher

CALIBRATION = {'type': 'mmcompose.ScoreCalibration', 'method': 'platt'}
ADAPTIVE = {'type': 'mmcompose.AdaptiveScoreFilter', 'min_boxes': 4}


FUSION = {'type': 'mmcompose.WeightedBoxesFusion'}


def config_in(folder: Path, pool: Path, truth: str, *steps: dict[str, Any]) -> Path:
    write_teacher(folder)
    return write_config(folder, pool, truth, **{'composition.label_pipeline': list(steps)})


def test_calibrate_prints_the_error_and_writes_the_curves(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = config_in(
        tmp_path, pool, truth, {**CALIBRATION, 'learned_file': 'curves.json'}, FUSION
    )
    done = run_forked('tools/calibrate.py', config, '--ann', truth, '--folds', '2', cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'Expected calibration error' in done.stdout
    assert 'held out (2 folds)' in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if ' before ' in line]
    assert [row[3:10:2] for row in rows] == [
        ['first', 'before', '14', '100.0%'],
        ['second', 'before', '14', '100.0%'],
    ]
    assert (tmp_path / 'curves.json').is_file()
    # The config can be used now; before, it names a file that is not there.
    done = run_here('tools/class_space.py', config, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]


def test_calibrate_tells_a_mistake_in_one_line(pool: Path, truth: str, tmp_path: Path) -> None:
    config = config_in(tmp_path, pool, truth, FUSION)
    done = fails('tools/calibrate.py', config, '--ann', truth, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith('error: composition.label_pipeline: has no ')
    assert len(done.stderr.splitlines()) == 1


def test_label_shows_what_was_learned_and_keeps_it_beside_the_labels(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    calibration = {'type': 'mmcompose.ScoreCalibration'}
    config = config_in(tmp_path, pool, truth, calibration, FUSION, ADAPTIVE)
    for how in (run_forked, run_here):
        done = how('tools/label.py', config, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-3000:]
        (learned,) = (tmp_path / 'store' / 'labels').glob('*/learned-*.json')
        calibration, nothing, thresholds = json.loads(learned.read_text())
        assert set(calibration['curves']) == {'first', 'second'}
        assert nothing == {}
        by_class = thresholds['thresholds']['fused']
        assert set(by_class) == set(toys.STUDENT)
        told = ', '.join(f'{name} {by_class[name]:.3f}' for name in sorted(toys.STUDENT))
        # Also by the second run, which learns nothing any more.
        assert f'AdaptiveScoreFilter: fused boxes are kept from {told}' in done.stdout + done.stderr
        assert 'ScoreCalibration: scores of first count 0.1 as' in done.stdout + done.stderr
