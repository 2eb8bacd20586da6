"""ScoreCalibration: by labels, or by what teachers share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mmcompose.labeling import (
    ByTeacher,
    ScoreCalibration,
    calibration_error,
    write_learned,
)
from mmcompose.labeling.compute.curves import calibrated
from mmcompose.registry import CALIBRATIONS
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.labeling.toys import QUICK, Scene, apply, bind, built, fit, found, scene

BOX, ELSEWHERE = [0, 0, 20, 20], [100, 50, 150, 90]
METHODS = ('isotonic', 'platt', 'beta')
TEACHERS = {'a': ['person', 'cat'], 'b': ['person'], 'c': ['dog']}


def labeled(images: int = 400) -> tuple[list[tuple[ByTeacher, Scene]], dict[str, Detections]]:
    """Teacher a is overconfident: a box of score s is right with chance s squared."""
    rng = np.random.default_rng(0)
    pool, truth = [], {}
    for number in range(images):
        scores = rng.uniform(0.02, 0.98, 2)
        boxes = [BOX if rng.uniform() < s**2 else ELSEWHERE for s in scores]
        rows = [(box, float(s), label) for label, (box, s) in enumerate(zip(boxes, scores))]
        said = {'a': found(*rows), 'b': found(rows[0]), 'c': found()}
        pool.append((said, scene(TEACHERS, key=str(number))))
        truth[str(number)] = found((BOX, 1, 0), (BOX, 1, 1))
    return pool, truth


def shared(images: int = 300) -> list[tuple[ByTeacher, Scene]]:
    """The same objects, of which teacher b says half the score that a does."""
    rng = np.random.default_rng(0)
    pool = []
    for number in range(images):
        score = rng.uniform(0.02, 0.98)
        said = {
            'a': found((BOX, score, 0), (BOX, 0.7, 1)),
            'b': found((BOX, score / 2, 0)),
            'c': found((BOX, 0.4, 2)),
        }
        pool.append((said, scene(TEACHERS, key=str(number))))
    return pool


@pytest.mark.parametrize('method', METHODS)
def test_labels_make_a_score_the_share_of_right_boxes(method: str) -> None:
    step = ScoreCalibration(method)
    assert step.right_iou_thr == 0.5
    fit(step, *labeled())
    scores = np.linspace(0.1, 0.9, 9)
    boxes = Detections.from_arrays([BOX] * 9, scores, [0] * 9)
    result = apply(step, {'a': boxes}, scene(TEACHERS))['a']
    assert np.abs(result.scores - scores**2).max() < 0.13
    assert (np.diff(result.scores) >= 0).all()
    np.testing.assert_array_equal(result.boxes, boxes.boxes)
    before, after = step.learned['curves']['a']['calibration_error']
    assert after < before / 2


def test_a_class_counts_as_far_as_data_suffices() -> None:
    pool, truth = labeled()
    own = ScoreCalibration('isotonic', shrinkage=0)
    fit(own, pool, truth)
    assert set(own.learned['curves']['a']['classes']) == {'person', 'cat'}
    common = ScoreCalibration('isotonic', min_boxes=401)
    fit(common, pool, truth)
    assert common.learned['curves']['a']['classes'] == {}
    mixed = ScoreCalibration('isotonic', shrinkage=400)
    fit(mixed, pool, truth)
    boxes = {'a': Detections.from_arrays([BOX], [0.63], [0])}
    scores = [
        float(apply(step, boxes, scene(TEACHERS))['a'].scores[0]) for step in (own, common, mixed)
    ]
    assert scores[2] == pytest.approx((scores[0] + scores[1]) / 2, abs=1e-5)


def test_without_labels_shared_classes_meet_in_the_middle() -> None:
    step = ScoreCalibration()
    fit(step, shared())
    image = {
        'a': found((BOX, 0.8, 0)),
        'b': found((BOX, 0.4, 0)),
        'c': found((BOX, 0.4, 2)),
    }
    result = apply(step, image, scene(TEACHERS))
    assert result['a'].scores == pytest.approx([0.6], abs=0.02)
    assert result['b'].scores == pytest.approx([0.6], abs=0.02)
    # A class that one teacher knows says nothing of another's scores.
    assert result['c'].scores == pytest.approx([0.4])


def test_a_teacher_that_speaks_more_is_matched_by_its_best_boxes() -> None:
    pool = shared()
    flooded = []
    for said, of in pool:
        low = found(*[(ELSEWHERE, 0.005, 0)] * 5)
        flooded.append(({**said, 'b': Detections.concatenate([said['b'], low])}, of))
    step, other = ScoreCalibration(), ScoreCalibration()
    fit(step, pool)
    fit(other, flooded)
    image = {'b': found((BOX, 0.4, 0))}
    before = apply(step, image, scene(TEACHERS))['b'].scores
    assert apply(other, image, scene(TEACHERS))['b'].scores == pytest.approx(before)


def test_teachers_are_matched_where_all_owners_of_a_class_predicted() -> None:
    """Of two teachers that predict alike, one saw every second image."""
    rng = np.random.default_rng(0)
    pool: list[tuple[ByTeacher, Scene]] = []
    for number in range(200):
        a = found((BOX, rng.uniform(0.02, 0.98), 0), (BOX, 0.7, 1))
        b = a[a.labels == 0] if number % 2 else Detections(asked=False)
        pool.append(({'a': a, 'b': b, 'c': found()}, scene(TEACHERS, key=str(number))))
    step = ScoreCalibration()
    fit(step, pool)
    assert step.curves['a'] == step.curves['b']
    scores = np.array([0.2, 0.5, 0.8], np.float32)
    assert calibrated(step.curves['a']['common'], scores) == pytest.approx(scores, abs=0.02)


@pytest.mark.parametrize('sharpness', [0.5, 1.0, 2.0])
def test_what_others_confirm_tells_how_often_scores_are_right(sharpness: float) -> None:
    """Teacher a's box is right with a power of its score as chance; b finds most objects."""
    rng = np.random.default_rng(0)
    pool: list[tuple[ByTeacher, Scene]] = []
    for number in range(6000):
        scores = rng.uniform(0.02, 0.98, 2)
        right = rng.uniform(size=2) < scores**sharpness
        a = [(BOX if r else ELSEWHERE, float(s), 0) for r, s in zip(right, scores, strict=True)]
        sees = right.any() and rng.uniform() < 0.8
        b = [(BOX, float(rng.uniform(0.5, 0.98)), 0)] if sees else []
        # Every teacher also says what is not there.
        b.append(([60, 0, 80, 20], float(rng.uniform(0.02, 0.4)), 0))
        pool.append(
            ({'a': found(*a), 'b': found(*b), 'c': found()}, scene(TEACHERS, key=str(number)))
        )
    step = ScoreCalibration('agreement')
    fit(step, pool)
    assert set(step.curves) == {'a', 'b'}
    asked = np.array([0.2, 0.4, 0.6, 0.8], np.float32)
    answer = calibrated(step.curves['a']['common'], asked)
    assert answer == pytest.approx(asked**sharpness, abs=0.1)
    with pytest.raises(UserError, match='put it before a fusion'):
        fit(step, [({'fused': found()}, scene(TEACHERS))])


def test_learned_curves_come_from_a_file(tmp_path: Path) -> None:
    step = ScoreCalibration('platt')
    pool, truth = labeled(60)
    fit(step, pool, truth)
    write_learned(tmp_path / 'curves.json', 'ScoreCalibration', step.learned)
    loaded = ScoreCalibration('platt', learned_file=str(tmp_path / 'curves.json'))
    for said, of in pool:
        np.testing.assert_array_equal(
            apply(loaded, said, of)['a'].scores, apply(step, said, of)['a'].scores
        )


def test_what_was_learned_before_a_fusion_is_refused_behind_it() -> None:
    step = ScoreCalibration('isotonic')
    fit(step, *labeled(60))
    with pytest.raises(UserError, match=r"^learned_file: 'fused' predicts here, but not where"):
        apply(step, {'fused': found((BOX, 0.4, 0))}, scene(TEACHERS))


def test_a_teacher_of_whom_nothing_was_judged_stays_as_it_is(tmp_path: Path) -> None:
    step = ScoreCalibration('isotonic')
    pool, truth = labeled(60)
    fit(step, pool, truth)
    write_learned(tmp_path / 'curves.json', 'ScoreCalibration', step.learned)
    loaded = ScoreCalibration('isotonic', learned_file=str(tmp_path / 'curves.json'))
    # Teacher c said nothing in the labeled images, and so belongs to them all the same.
    bind(loaded, scene(TEACHERS))
    dogs = found((BOX, 0.4, 2), (ELSEWHERE, 0.07, 2))
    after = apply(loaded, {'c': dogs}, scene(TEACHERS))['c']
    np.testing.assert_array_equal(after.scores, dogs.scores)
    with pytest.raises(UserError, match=r"^learned_file: holds nothing of teacher 'd'"):
        bind(loaded, scene({**TEACHERS, 'd': ['dog']}))


@QUICK
@given(
    method=st.sampled_from(METHODS),
    rows=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30),
)
def test_curves_rise_and_stay_in_range(method: str, rows: list[tuple[float, bool]]) -> None:
    scores, right = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    curve = CALIBRATIONS.get(method)().fit(scores, right)
    values = calibrated(curve, np.linspace(0, 1, 51))
    assert ((values >= 0) & (values <= 1)).all()
    assert (np.diff(values) >= 0).all()
    assert (np.diff(curve['x']) > 0).all()


@pytest.mark.parametrize(
    ('scores', 'right', 'expected'),
    [
        ([1.0, 1.0], [1, 1], 0.0),
        ([0.8, 0.8, 0.8, 0.8, 0.8], [1, 1, 1, 1, 0], 0.0),
        ([0.9, 0.9], [0, 0], 0.9),
        ([0.0, 1.0], [1, 0], 1.0),
    ],
)
def test_calibration_error(scores: list[float], right: list[int], expected: float) -> None:
    result = calibration_error(np.array(scores), np.array(right, bool))
    assert result == pytest.approx(expected, abs=1e-9)


def test_no_boxes_have_no_calibration_error() -> None:
    assert np.isnan(calibration_error(np.zeros(0), np.zeros(0, bool)))


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        ({'method': 'plat'}, r"^step.method: 'plat' .*did you mean 'platt'"),
        ({'method': 'platt', 'min_boxes': 0}, '^step.min_boxes: 0'),
        ({'method': 'beta', 'shrinkage': -1}, '^step.shrinkage: -1'),
        ({'method': 'agreement', 'iou_thr': 0}, '^step.iou_thr: 0'),
        # The default method learns anew of the pool, whatever the file says.
        (
            {'learned_file': 'a.json'},
            "^step.learned_file: 'a.json' holds what beta, .*; method='quantile' learns of the",
        ),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        built(ScoreCalibration, **arguments)


@pytest.mark.parametrize('fused', [False, True])
def test_scores_of_a_class_sum_to_the_boxes_expected(fused: bool) -> None:
    expected = {'person': 0.3, 'cat': 0.8, 'dog': 0.4}
    pool = shared()
    if fused:
        pool = [({'fused': Detections.concatenate(list(said.values()))}, at) for said, at in pool]
    step = ScoreCalibration('prior', boxes_per_image=expected)
    fit(step, pool)
    sums: dict[str, NDArray[np.float64]] = {}
    for said, at in pool:
        for name, after in apply(step, said, at).items():
            by_class = np.bincount(after.labels, after.scores, minlength=3) / len(pool)
            sums[name] = sums.get(name, np.zeros(3)) + by_class
            for label in range(3):
                before = said[name][said[name].labels == label]
                order = np.argsort(before.scores, kind='stable')
                assert (np.diff(after.scores[after.labels == label][order]) >= 0).all()
    wanted = {'fused': [0.3, 0.8, 0.4]} if fused else {'a': [0.3, 0.8, 0], 'c': [0, 0, 0.4]}
    for name, total in wanted.items():
        np.testing.assert_allclose(sums[name], total, rtol=1e-3)


def test_boxes_are_expected_where_a_teacher_predicted() -> None:
    pool = [
        ({**each, 'a': each['a'] if number % 2 else Detections(asked=False)}, at)
        for number, (each, at) in enumerate(shared())
    ]
    step, of_its_own = (
        ScoreCalibration('prior', boxes_per_image={'person': 0.3}) for _ in range(2)
    )
    fit(step, pool)
    fit(of_its_own, pool[1::2])
    assert step.curves['a'] == of_its_own.curves['a']


def test_a_sum_out_of_reach_stops_at_a_power_of_four() -> None:
    step = ScoreCalibration('prior', boxes_per_image={'cat': 1e-6, 'dog': 1.0})
    fit(step, shared())
    curves = step.learned['curves']
    for name, label, before, after in (('a', 'cat', 0.7, 0.7**4), ('c', 'dog', 0.4, 0.4**0.25)):
        got = calibrated(curves[name]['classes'][label], np.array([before]))
        assert got == pytest.approx(after, abs=1e-3)


def test_a_class_of_which_nothing_is_known_goes_with_the_others() -> None:
    step = ScoreCalibration('prior', boxes_per_image={'person': 0.3})
    fit(step, shared())
    curves = step.learned['curves']
    assert list(curves['a']['classes']) == ['person']
    assert curves['a']['common'] == curves['a']['classes']['person']
    # A teacher of which nothing is known stays as it is.
    assert 'c' not in curves


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ({'method': 'prior'}, '^step.boxes_per_image: is missing'),
        ({'boxes_per_image': {'cat': 1.0}}, "^step: 'boxes_per_image' is not a key here"),
        # What it takes is what the method and the step take.
        ({'method': 'platt', 'shrinkag': 1}, "^step: 'shrinkag' .*did you mean 'shrinkage'"),
        ({'method': 'platt', 'learn_file': 'a'}, "^step: .*did you mean 'learned_file'"),
    ],
)
def test_an_argument_belongs_to_its_method(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        built(ScoreCalibration, **config)


def test_an_unknown_class_is_told_before_any_work() -> None:
    step = ScoreCalibration('prior', boxes_per_image={'cats': 1.0})
    with pytest.raises(UserError, match=r"boxes_per_image.*'cats'.*did you mean 'cat'"):
        bind(step, scene(TEACHERS))


def test_a_teacher_that_did_not_predict_does_not_deny_a_box() -> None:
    """Teacher b predicts on all images with a high score of a, and on few of the others."""
    rng = np.random.default_rng(0)
    pool: list[tuple[ByTeacher, Scene]] = []
    for number in range(4000):
        score = rng.uniform(0.02, 0.98)
        b = found((BOX, 0.9, 0)) if rng.uniform() < score else found()
        if score < 0.6 and rng.uniform() < 0.8:
            b = Detections(asked=False)
        pool.append(({'a': found((BOX, score, 0)), 'b': b}, scene(TEACHERS, key=str(number))))
    step = ScoreCalibration('agreement')
    fit(step, pool)
    scores = np.array([0.3, 0.5, 0.7], np.float32)
    assert calibrated(step.curves['a']['common'], scores) == pytest.approx(scores, abs=0.12)


STRAIGHT = {'x': [0.0, 1.0], 'y': [0.0, 1.0]}


def written(tmp_path: Path, curves: Any) -> ScoreCalibration:
    file = str(tmp_path / 'curves.json')
    write_learned(file, 'ScoreCalibration', {'curves': curves})
    return ScoreCalibration('platt', learned_file=file)


def test_a_file_that_is_not_there_is_written_by_calibrate(tmp_path: Path) -> None:
    file = str(tmp_path / 'curves.json')
    expected = 'is no file; mmcompose calibrate CONFIG --ann FEW.json writes it'
    with pytest.raises(UserError) as error:
        ScoreCalibration('platt', learned_file=file)
    assert str(error.value) == f'learned_file: {file!r} {expected}'


def test_a_curve_is_of_its_class_under_any_name(tmp_path: Path) -> None:
    flat = {'x': [0.0, 1.0], 'y': [0.1, 0.1]}
    step = written(tmp_path, {'a': {'common': STRAIGHT, 'classes': {'tvmonitor': flat}}})
    at = scene({'a': ['cat', 'tv']}, aliases=[{'tv': ['tvmonitor']}])
    after = apply(step, {'a': found((BOX, 0.8, 0), (ELSEWHERE, 0.7, 1))}, at)['a']
    assert after.scores == pytest.approx([0.8, 0.1])


@pytest.mark.parametrize(
    ('curves', 'told'),
    [
        ([], r'has curves: \[\] is not a dict'),
        ({}, 'holds no curves'),
        ({'a': {'common': STRAIGHT}}, 'has curves.a.classes: is missing'),
        ({'a': {'common': {'x': 0, 'y': [1]}, 'classes': {}}}, 'has curves.a.common.x: 0 is not'),
        ({'a': {'common': {'y': [1.0]}, 'classes': {}}}, 'has curves.a.common: is no curve'),
        (
            {'a': {'common': STRAIGHT, 'classes': {'cat': {'x': [1, 0], 'y': [0, 1]}}}},
            'has curves.a.classes.cat: is no curve',
        ),
        (
            {'a': {'common': {'x': [0, 1], 'y': [0]}, 'classes': {}}},
            'has curves.a.common: is no curve',
        ),
    ],
)
def test_a_file_that_somebody_spoiled(tmp_path: Path, curves: Any, told: str) -> None:
    with pytest.raises(UserError, match=f'^learned_file: .*curves.json. {told}'):
        written(tmp_path, curves)
