"""The benchmark of label pipelines: its measures, and that it measures what it says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.class_space import ClassSpace
from mmcompose.evaluation import Scores
from mmcompose.labeling import ImageContext
from mmcompose.structures import Detections
from tests.toys import assert_sound

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'benchmarks'))

import label_quality
import label_world
from label_measures import Judged, best_owners, gain_by_owners

SIZE = 100
TEACHERS = {'a': ['dog', 'sofa'], 'b': ['dog', 'bird'], 'c': ['dog', 'bird']}


def boxes(*rows: tuple[float, float, int]) -> Detections:
    """Make squares of 20 pixels of (left, score, label) rows."""
    return Detections.from_arrays(
        [[left, 10, left + 20, 30] for left, _, _ in rows],
        [score for _, score, _ in rows],
        [label for *_, label in rows],
    )


def test_kept_boxes_are_judged_by_class() -> None:
    truth = boxes((0, 1, 0), (40, 1, 0), (0, 1, 1))
    kept = boxes((0, 0.9, 0), (70, 0.6, 0), (1, 0.8, 1), (5, 0.5, 2))
    figures = Judged.of([kept], [truth], 4).kept()
    # Of dogs one right, one wrong, one missed; the bird is right; classes without truth are out.
    assert figures.precision == pytest.approx((1 / 2 + 1) / 2)
    assert figures.recall == pytest.approx((1 / 2 + 1) / 2)
    assert figures.f1 == pytest.approx((1 / 2 + 1) / 2)
    assert figures.boxes_per_image == 4


def test_boxes_to_ignore_are_no_labels_and_no_misses() -> None:
    kept = boxes((0, 0.9, 0), (70, 0.6, 0))
    kept = Detections(kept.boxes, kept.scores, kept.labels, ignore=np.array([False, True]))
    there = boxes((0, 1, 0), (40, 1, 0))
    truth = Detections(there.boxes, there.scores, there.labels, ignore=np.array([False, True]))
    figures = Judged.of([kept], [truth], 1).kept()
    assert (figures.precision, figures.recall, figures.f1) == (1, 1, 1)
    assert figures.calibration_error == pytest.approx(0.1, abs=1e-6)


def test_a_class_of_which_nothing_is_kept_counts_as_nothing() -> None:
    figures = Judged.of([boxes((0, 0.9, 0))], [boxes((0, 1, 0), (0, 1, 1))], 2).kept()
    assert (figures.precision, figures.recall, figures.f1) == (0.5, 0.5, 0.5)


def test_a_threshold_drops_boxes_as_if_they_had_never_been_said() -> None:
    truth = boxes((0, 1, 0), (40, 1, 0))
    said = boxes((0, 0.9, 0), (2, 0.4, 0), (41, 0.3, 0))
    judged = Judged.of([said], [truth], 1)
    for threshold in (0.0, 0.35, 0.5):
        kept = Judged.of([said[said.scores >= threshold]], [truth], 1).kept()
        assert judged.kept(threshold) == kept


def test_gains_are_told_by_the_number_of_owners() -> None:
    owners = {'dog': ['a', 'b'], 'sofa': ['a'], 'bird': ['b']}
    by_teacher = {
        'a': Scores(0, 0, {'dog': 0.5, 'sofa': 0.4, 'bird': np.nan}),
        'b': Scores(0, 0, {'dog': 0.3, 'sofa': 0.0, 'bird': np.nan}),
    }
    chosen = best_owners(by_teacher, owners)
    assert chosen == {'dog': 'a', 'sofa': 'a', 'bird': 'b'}
    fused = Scores(0, 0, {'dog': 0.53, 'sofa': 0.4, 'bird': np.nan})
    gains = gain_by_owners(fused, by_teacher, chosen, owners)
    assert gains == pytest.approx({1: 0.0, 2: 3.0})


@pytest.fixture(scope='module')
def world() -> label_world.World:
    """Three teachers that find what is there, b with low scores; clutter scores below 0.2."""
    rng = np.random.default_rng(0)
    space = ClassSpace(TEACHERS)
    said, truth, infos = [], {}, []
    for number in range(24):
        context = ImageContext(str(number), SIZE, SIZE)
        labels = rng.integers(0, len(space.classes), 2)
        there = boxes(*((x, 1.0, int(label)) for x, label in zip((5, 55), labels, strict=True)))
        by_teacher = {}
        for name in TEACHERS:
            known = there[np.isin(there.labels, space.teacher_index(name))]
            level = 0.5 if name == 'b' else 0.9
            clutter = boxes((30, rng.uniform(0.02, 0.2), int(space.teacher_index(name)[0])))
            scores = rng.uniform(level - 0.1, level, len(known))
            right = Detections.from_arrays(known.boxes, scores, known.labels)
            by_teacher[name] = Detections.concatenate([right, clutter])
        said.append((by_teacher, context))
        truth[str(number)] = there
        instances = [
            {'bbox': box.tolist(), 'bbox_label': int(label), 'ignore_flag': 0}
            for box, label in zip(there.boxes, there.labels, strict=True)
        ]
        infos.append({'height': SIZE, 'width': SIZE, 'instances': instances})
    return label_world.World(space, said, said, truth, infos, (range(0, 24, 2), range(1, 24, 2)))


def test_a_spoiled_teacher_says_random_boxes_of_half_of_the_images(
    world: label_world.World,
) -> None:
    spoiled = world.spoiled('b')
    changed = 0
    for (before, _), (after, _) in zip(world.labelled, spoiled.labelled, strict=True):
        assert after['a'] is before['a'] and after['c'] is before['c']
        np.testing.assert_array_equal(after['b'].scores, before['b'].scores)
        np.testing.assert_array_equal(after['b'].labels, before['b'].labels)
        changed += not np.array_equal(after['b'].boxes, before['b'].boxes)
        assert_sound(after['b'])
        assert (after['b'].boxes >= 0).all() and (after['b'].boxes <= SIZE).all()
    assert changed == 12
    again = world.spoiled('b')
    for (one, _), (other, _) in zip(spoiled.pool, again.pool, strict=True):
        np.testing.assert_array_equal(one['b'].boxes, other['b'].boxes)


@pytest.fixture(scope='module')
def figures(world: label_world.World) -> dict[str, Any]:
    """Measure two fusions, two calibrations and all filters, and the shipped default."""
    fusions = {name: label_quality.FUSIONS[name] for name in ('WeightedBoxesFusion', 'NMS')}
    calibrations = {name: label_quality.CALIBRATIONS[name] for name in ('none', 'isotonic*')}
    few = {'dog': 0.5, 'sofa': 0.5, 'bird': 0.5}
    filters = {
        name: {**step, 'boxes_per_image': few} if step.get('method') == 'prior' else step
        for name, step in label_quality.FILTERS.items()
    }
    default = label_quality.pipeline_steps(label_quality.SHIPPED['default'])
    bench = label_world.Bench(world)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_quality, 'FUSIONS', fusions)
        patch.setattr(label_quality, 'CALIBRATIONS', calibrations)
        grid = label_quality.try_grid(bench, filters)
    made = {'default': label_quality.shipped(bench, default)}
    spoiled = bench.spoiled('c')
    unseen = label_world.Bench(world.of_pool(label_world.Labelled([], world.truth, world.infos)))
    return {
        'baselines': label_quality.baselines(bench),
        'shipped': made,
        'held out': {'default': label_quality.shipped(unseen, default)},
        'spoiled': {'default': {'c': label_quality.shipped(spoiled, default)}},
        'grid': grid,
    }


def test_every_cell_of_the_grid_is_measured_both_ways_round(figures: dict[str, Any]) -> None:
    assert list(figures['grid']) == [
        f'{fusion}, {calibration}'
        for fusion in ('WeightedBoxesFusion', 'NMS')
        for calibration in ('none', 'isotonic*')
    ]
    for cell in figures['grid'].values():
        assert set(cell['kept']) == set(label_quality.FILTERS)
        for row in (cell['before a threshold'], *cell['kept'].values()):
            assert len(row['folds']) == 2
            for name in set(row) - {'folds'}:
                assert row[name] == pytest.approx(np.mean([fold[name] for fold in row['folds']]))


def test_what_teachers_agree_on_is_found_and_kept(figures: dict[str, Any]) -> None:
    cell = figures['grid']['WeightedBoxesFusion, none']
    assert cell['before a threshold']['mAP'] == pytest.approx(1.0)
    assert cell['kept']['score 0.3']['f1'] == pytest.approx(1.0)
    assert cell['kept']['fbeta*']['f1'] > 0.95
    assert figures['shipped']['default']['mAP'] == pytest.approx(1.0)
    assert figures['held out']['default']['mAP'] == pytest.approx(1.0)


def test_plain_fusion_and_single_teachers_are_measured_at_their_best_threshold(
    figures: dict[str, Any],
) -> None:
    rows = figures['baselines']
    assert set(rows) == {
        'plain ensemble-boxes',
        *(f'{name} alone' for name in TEACHERS),
        'best owner of each class*',
    }
    # Teacher a knows no bird, so it cannot be right of a third of the classes.
    assert rows['a alone']['recall'] == pytest.approx(2 / 3)
    assert rows['best owner of each class*']['mAP'] == pytest.approx(1.0)
    assert rows['best owner of each class*']['gain of 3 owners'] == pytest.approx(0.0)


def test_the_tables_and_bars_are_made_of_the_figures(figures: dict[str, Any]) -> None:
    whole, grid = label_quality.tables(figures)
    assert whole.row_count == 5 + 1 + 1 + 1
    assert grid.row_count == 4
    bars = label_quality.bars(figures)
    assert not bars['points of AP above the best owner, three owners'].ok
    assert bars['points of AP above the best owner, one owner'].ok
    gain = figures['shipped']['default']['f1'] - figures['baselines']['plain ensemble-boxes']['f1']
    name = 'macro F1 above plain ensemble-boxes at its best threshold'
    assert bars[name].value == pytest.approx(gain)
