"""AdaptiveScoreFilter: thresholds by class from the pool, a prior, or labeled images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.labeling import (
    FUSED,
    AdaptiveScoreBands,
    AdaptiveScoreFilter,
    ByTeacher,
    box_counts,
    write_learned,
)
from mmcompose.labeling.compute.class_prior import box_counts_of_files
from mmcompose.labeling.compute.scored_boxes import ScoredBoxes
from mmcompose.structures import Detections
from mmcompose.utils import UserError
from tests.labeling.toys import Scene, apply, bind, built, fit, found, scene

CLASSES = ['person', 'cat', 'sofa', 'dog']
BOX, ELSEWHERE = [0, 0, 20, 20], [100, 50, 150, 90]
# Persons are scored high and cats low: 100 images of one right and one wrong box each.
LEVELS = {0: (0.6, 0.9), 1: (0.1, 0.3)}


def pool(images: int = 100) -> list[tuple[ByTeacher, Scene]]:
    rng = np.random.default_rng(0)
    made = []
    for number in range(images):
        boxes = [
            (box, float(np.clip(rng.normal(level, 0.02), 0.01, 0.99)), label)
            for label, levels in LEVELS.items()
            for box, level in zip((ELSEWHERE, BOX), levels, strict=True)
        ]
        made.append(({FUSED: found(*boxes)}, scene(key=str(number))))
    return made


def truth(images: int = 100) -> dict[str, Detections]:
    return {str(number): found((BOX, 1, 0), (BOX, 1, 1)) for number in range(images)}


def kept(step: AdaptiveScoreFilter) -> list[int]:
    """Return how many right and wrong boxes of each class are left, in a fresh pool."""
    boxes = [apply(step, said, of)[FUSED] for said, of in pool()]
    left = Detections.concatenate(boxes)
    right = left.boxes[:, 0] == 0
    return [int((right & (left.labels == c)).sum()) for c in (0, 1)] + [int((~right).sum())]


@pytest.mark.parametrize(
    'arguments',
    [
        {'method': 'mixture'},
        {'method': 'prior', 'boxes_per_image': {'person': 1, 'cat': 1}},
        {'method': 'precision', 'precision': 1.0},
        {'method': 'fbeta'},
    ],
)
def test_each_class_gets_its_own_threshold(arguments: dict[str, Any]) -> None:
    step = AdaptiveScoreFilter(**arguments)
    fit(step, pool(), truth() if step.right_iou_thr else None)
    assert kept(step) == [100, 100, 0]
    thresholds = step.learned['thresholds'][FUSED]
    assert 0.6 < thresholds['person'] < 0.9
    assert 0.1 < thresholds['cat'] < 0.3
    # Of sofas there is none to learn from.
    assert set(thresholds) == {'person', 'cat', 'sofa', 'dog'}


# No class in common, and a scale of scores each: of the second teacher's 200 boxes half are dogs.
STRANGERS = {'a': ['person', 'sofa'], 'b': ['cat', 'dog']}


def of_strangers(factor: float) -> list[tuple[ByTeacher, Scene]]:
    """Return a pool in which the second teacher's scores are multiplied."""
    made = []
    for number, (said, _) in enumerate(pool()):
        every, at = said[FUSED], scene(STRANGERS, classes=CLASSES, key=str(number))
        second = every.labels == 1
        labels = np.where(second & (number % 2 > 0), 3, every.labels)
        scores = np.where(second, every.scores * factor, every.scores)
        made.append(({FUSED: Detections.from_arrays(every.boxes, scores, labels)}, at))
    return made


def test_a_class_with_few_boxes_takes_the_threshold_of_its_owners() -> None:
    step = AdaptiveScoreFilter('expected_fbeta', min_boxes=150)
    fit(step, of_strangers(1.0))
    thresholds = step.learned['thresholds'][FUSED]
    assert thresholds['cat'] == thresholds['dog'] < 0.3
    assert thresholds['sofa'] == thresholds['person'] > 0.5


@pytest.mark.parametrize('min_boxes', [50, 150])
def test_a_teacher_whose_scores_are_low_keeps_labels(min_boxes: int) -> None:
    images = of_strangers(0.5)
    step = AdaptiveScoreFilter('tempered_fbeta', min_boxes=min_boxes)
    fit(step, images)
    left = Detections.concatenate([apply(step, said, at)[FUSED] for said, at in images])
    # Right cats score 0.15; the common score alone is 0.2.
    assert np.bincount(left.labels, minlength=4)[[1, 3]].min() >= 50
    assert step.learned['thresholds'][FUSED]['person'] > 0.2


def test_scores_that_a_step_lowered_keep_no_labels() -> None:
    lowered = []
    for said, at in of_strangers(1.0):
        every = said[FUSED]
        scores = np.where(every.labels % 2 > 0, every.scores / 2, every.scores)
        lowered.append(({FUSED: replace(every, scores=scores, best_score=every.scores)}, at))
    step = AdaptiveScoreFilter('tempered_fbeta')
    fit(step, lowered)
    left = Detections.concatenate([apply(step, said, at)[FUSED] for said, at in lowered])
    # Right cats and dogs scored 0.3 before, and half of that is above what is left of them.
    assert (left.labels % 2 > 0).sum() < 10 < (left.labels == 0).sum()


def test_of_a_teacher_alone_all_classes_have_one_scale() -> None:
    at = scene({'a': ['person', 'sofa'], 'b': ['person', 'cat']}, classes=CLASSES[:3])
    said = {'a': Detections.concatenate([found(*[(BOX, 0.9, 0), (ELSEWHERE, 0.6, 0)])] * 50)}
    faint = found((BOX, 0.18, 2))
    images = [(said, at), *[({'a': faint}, at)] * 20]
    step = AdaptiveScoreFilter('expected_fbeta')
    fit(step, images)
    thresholds = step.learned['thresholds']['a']
    # Sofas are few: others own persons, too, and of no account before a fusion.
    assert thresholds['sofa'] == thresholds['cat'] > 0.4


def test_the_threshold_of_all_is_learned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    step = AdaptiveScoreFilter('expected_fbeta', min_boxes=10_000)
    asked: list[int | None] = []

    def count(boxes: ScoredBoxes, label: int | None) -> float:
        asked.append(label)
        return 0.5

    monkeypatch.setattr(step.method, 'threshold', count)
    fit(step, of_strangers(1.0))
    assert asked == [None]


def test_images_without_truth_teach_nothing() -> None:
    step = AdaptiveScoreFilter('fbeta', min_boxes=10)
    fit(step, pool(), truth(20))
    of_all = AdaptiveScoreFilter('fbeta', min_boxes=10)
    fit(of_all, pool()[:20], truth())
    assert step.learned == of_all.learned


def test_bands_ignore_what_is_just_below() -> None:
    step = AdaptiveScoreBands(ignore_ratio=0.5)
    fit(step, pool())
    assert step.selects
    edge = step.learned['thresholds'][FUSED]['person']
    scores = [edge + 0.01, edge - 0.01, edge / 2 + 0.01, edge / 2 - 0.01]
    boxes = found(*(([30 * i, 0, 30 * i + 20, 20], s, 0) for i, s in enumerate(scores)))
    result = apply(step, {FUSED: boxes}, scene())[FUSED]
    assert result.ignore is not None
    assert result.ignore.tolist() == [False, True, True]
    with pytest.raises(UserError, match=r'^step.ignore_ratio: 2'):
        built(AdaptiveScoreBands, ignore_ratio=2)


def test_a_prior_of_labeled_images() -> None:
    space = scene().class_space
    counts = box_counts([found((BOX, 1, 0), (BOX, 1, 0)), found((BOX, 1, 1))], space)
    assert counts == {'person': 1.0, 'cat': 0.5, 'sofa': 0.0, 'dog': 0.0}
    bind(AdaptiveScoreFilter('prior', boxes_per_image=counts), scene())


def test_a_prior_of_annotation_files(tmp_path: Path) -> None:
    file = tmp_path / 'train.json'
    kinds = [{'category_id': 7, 'iscrowd': 0}, {'category_id': '7'}, {'category_id': 3}]
    kinds += [{'category_id': 7, 'iscrowd': 1}]
    box = {'image_id': 0, 'bbox': [0, 0, 20, 10]}
    annotations = [{'id': number, **box, **kind} for number, kind in enumerate(kinds)]
    categories = [{'id': 7, 'name': 'cat'}, {'id': 3, 'name': 'unicorn'}]
    images = [{'id': i, 'file_name': f'{i}.jpg'} for i in range(4)]
    content = {'images': images, 'categories': categories, 'annotations': annotations}
    file.write_text(json.dumps(content))
    space = scene().class_space
    assert box_counts_of_files([str(file)], space) == {
        'person': 0.0,
        'cat': 0.5,
        'sofa': 0.0,
        'dog': 0.0,
    }
    # What only groups other classes is no class of the file.
    grouping = tmp_path / 'grouping.json'
    above = [{'id': 0, 'name': 'cat'}, {'id': 1, 'name': 'person', 'supercategory': 'cat'}]
    below = [{'id': 0, **box, 'category_id': 1}]
    grouping.write_text(json.dumps({**content, 'categories': above, 'annotations': below}))
    together = box_counts_of_files([str(file), str(grouping)], space)
    assert (together['cat'], together['person']) == (0.5, 0.25)
    of_file = AdaptiveScoreFilter('prior', boxes_per_image=[str(file)])
    fit(of_file, pool())
    counted = AdaptiveScoreFilter('prior', boxes_per_image={'cat': 0.5})
    fit(counted, pool())
    assert of_file.learned == counted.learned
    others = [{'id': 3, 'name': 'x'}, {'id': 7, 'name': 'y'}]
    file.write_text(json.dumps({**content, 'categories': others}))
    with pytest.raises(UserError, match=r'^boxes_per_image: .*label no box of a class .* aliases'):
        bind(of_file, scene())
    file.write_text('[]')
    with pytest.raises(UserError, match=r'^boxes_per_image: .*is no COCO json'):
        bind(of_file, scene())


def test_thresholds_are_learned_for_each_teacher_before_a_fusion() -> None:
    step = AdaptiveScoreFilter(min_boxes=10)
    fit(step, [({'a': said[FUSED], 'b': found()}, of) for said, of in pool()])
    assert set(step.learned['thresholds']) == {'a', 'b'}


def test_learned_values_come_from_a_file(tmp_path: Path) -> None:
    step = AdaptiveScoreFilter('fbeta')
    fit(step, pool(), truth())
    file = tmp_path / 'folder' / 'thresholds.json'
    write_learned(file, 'AdaptiveScoreFilter', step.learned)
    loaded = AdaptiveScoreFilter('fbeta', learned_file=str(file))
    assert loaded.learned == step.learned
    assert kept(loaded) == kept(step)


def test_a_file_of_another_composition_is_told_before_any_work(tmp_path: Path) -> None:
    step = AdaptiveScoreFilter('fbeta', min_boxes=10)
    fit(step, [({'a': said[FUSED], 'b': found()}, of) for said, of in pool()], truth())
    file = tmp_path / 'thresholds.json'
    write_learned(file, 'AdaptiveScoreFilter', step.learned)
    loaded = AdaptiveScoreFilter('fbeta', learned_file=str(file))
    bind(loaded, scene({'b': CLASSES, 'a': CLASSES}))
    # The student of a refreshed composition learned from what went through this step.
    bind(loaded, scene({'b': CLASSES, 'a': CLASSES, 'student': CLASSES}))
    with pytest.raises(UserError) as caught:
        bind(loaded, scene({'a1': CLASSES, 'b': CLASSES}))
    stranger, missing = caught.value.lines
    assert stranger.startswith("learned_file: 'a' is in it, and is not a teacher")
    assert stranger.endswith("did you mean 'a1'?")
    assert missing.startswith("learned_file: holds nothing of teacher 'a1'")


def test_a_file_that_does_not_fit(tmp_path: Path) -> None:
    file = tmp_path / 'learned.json'
    for content, told in (
        (None, 'is no file; mmcompose calibrate'),
        ('{', 'cannot be read'),
        ('[]', 'holds nothing'),
        ('{"transform": "ScoreCalibration", "learned": {}}', 'was learned by ScoreCalibration'),
    ):
        if content is not None:
            file.write_text(content)
        with pytest.raises(UserError, match=f'^learned_file: .*{told}'):
            AdaptiveScoreFilter('fbeta', learned_file=str(file))


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        ({'method': 'mix'}, r"^step.method: 'mix' .*did you mean 'mixture'"),
        ({'method': 'prior'}, '^step.boxes_per_image: is missing'),
        ({'boxes_per_image': {'cat': 1}}, "^step: 'boxes_per_image' is not a key here"),
        ({'method': 'prior', 'boxes_per_image': {}}, '^step.boxes_per_image: {} names no class'),
        ({'method': 'prior', 'boxes_per_image': []}, r'^step.boxes_per_image: \[\] names no class'),
        (
            {'method': 'prior', 'boxes_per_image': {'cat': -1}},
            '^step.boxes_per_image.cat: -1 is not 0 or more',
        ),
        ({'method': 'prior', 'boxes_per_image': {'cat': np.nan}}, '^step.boxes_per_image.cat: nan'),
        (
            {'method': 'expected_fbeta', 'learned_file': 'a.json'},
            "^step.learned_file: 'a.json' holds what fbeta, precision learn .*method='exp",
        ),
        ({'posterior': 2}, '^step.posterior: 2'),
        ({'method': 'precision', 'precision': 2}, '^step.precision: 2'),
        ({'method': 'fbeta', 'beta': 0}, '^step.beta: 0'),
        ({'min_boxes': 1}, '^step.min_boxes: 1'),
        ({'lowest': 0.9, 'highest': 0.5}, '^step.lowest: 0.9'),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        built(AdaptiveScoreFilter, **arguments)


@pytest.mark.parametrize(('precision', 'left'), [(0.4, 100), (0.6, 0)])
def test_one_score_for_all_boxes_is_kept_only_where_enough_of_them_are_right(
    precision: float, left: int
) -> None:
    said = [
        ({FUSED: found((BOX, 0.7, 0), (ELSEWHERE, 0.7, 0))}, scene(key=str(number)))
        for number in range(50)
    ]
    step = AdaptiveScoreFilter(method='precision', precision=precision)
    fit(step, said, truth(50))
    assert sum(len(apply(step, *each)[FUSED]) for each in said) == left


def test_what_a_teacher_does_not_know_does_not_lower_its_threshold() -> None:
    rng = np.random.default_rng(0)
    images, there, dogs_too = [], {}, {}
    dogs = found(*[([number, 70, number + 10, 80], 1, 3) for number in range(50)])
    for number in range(40):
        scores = rng.uniform(0.05, 0.95, 2)
        said = found(*[(BOX, score, label) for label, score in enumerate(scores)])
        of = scene({'a': CLASSES[:2], 'b': CLASSES[2:]}, key=str(number))
        images.append(({'a': said, 'b': found()}, of))
        there[str(number)] = said[rng.random(2) < scores]
        dogs_too[str(number)] = Detections.concatenate([there[str(number)], dogs])
    steps = [AdaptiveScoreFilter('fbeta') for _ in range(2)]
    for step, its in zip(steps, (there, dogs_too), strict=True):
        fit(step, images, its)
    first, second = (step.learned['thresholds']['a'] for step in steps)
    assert first == second


@pytest.mark.parametrize(
    'arguments',
    [{'method': 'fbeta'}, {'method': 'prior', 'boxes_per_image': {'person': 0.5, 'cat': 0.5}}],
)
def test_images_on_which_a_teacher_did_not_predict_do_not_count_for_it(
    arguments: dict[str, Any],
) -> None:
    rng = np.random.default_rng(0)
    images, there = [], {}
    for number in range(240):
        scores = rng.uniform(0.05, 0.95, 2)
        a = found(*[(BOX, score, label) for label, score in enumerate(scores)])
        there[str(number)] = a[rng.random(2) < scores]
        a = Detections(asked=False) if number % 4 else a
        images.append(({'a': a, 'b': found()}, scene(key=str(number))))
    step, of_its_own = (AdaptiveScoreFilter(**arguments) for _ in range(2))
    fit(step, images, there if step.right_iou_thr else None)
    fit(of_its_own, images[::4], there if step.right_iou_thr else None)
    assert step.learned['thresholds']['a'] == of_its_own.learned['thresholds']['a']


def written(tmp_path: Path, thresholds: Any) -> AdaptiveScoreFilter:
    file = str(tmp_path / 'thresholds.json')
    write_learned(file, 'AdaptiveScoreFilter', {'thresholds': thresholds})
    return AdaptiveScoreFilter('fbeta', learned_file=file)


@pytest.mark.parametrize(
    ('thresholds', 'told'),
    [
        (None, 'has thresholds: None is not a dict'),
        ({}, 'holds no thresholds'),
        ({FUSED: 0.3}, 'has thresholds.fused: 0.3 is not a dict'),
        ({FUSED: {'cat': '0.3'}}, "has thresholds.fused.cat: '0.3' is not a number"),
        ({FUSED: {'cat': 30}}, r'has thresholds.fused.cat: 30 is not in \[0, 1\]'),
    ],
)
def test_a_file_that_somebody_spoiled(tmp_path: Path, thresholds: Any, told: str) -> None:
    with pytest.raises(UserError, match=f'^learned_file: .*thresholds.json. {told}'):
        written(tmp_path, thresholds)


def test_a_class_that_a_file_lacks_is_told(tmp_path: Path) -> None:
    step = written(tmp_path, {FUSED: dict.fromkeys(CLASSES[:3], 0.4)})
    with pytest.raises(UserError, match=r"^learned_file: holds nothing of 'dog' for fused"):
        bind(step, scene())
    bind(step, scene({'a': CLASSES[:3]}))
