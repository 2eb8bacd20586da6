"""Tests of truth in a teacher's pictures: it rules its classes, teachers fill the others."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmcompose.datasets import PseudoLabeledDataset
from mmcompose.engine import resolve
from mmcompose.engine.hooks.uncertain_labels import _check_mixes
from mmcompose.store import DetectionTable
from mmcompose.utils import UserError
from tests import mask_rcnn, toys

GREEN, RED, BLUE = range(3)


def _truth(path: Path, drawn: list[dict[str, Any]], pool: Path, **changes: Any) -> dict[str, Any]:
    """Red boxes alone, moved by a pixel, of the first half of the pictures."""
    moved = [
        {**each, 'boxes': {name: [x + 1 for x in box] for name, box in each['boxes'].items()}}
        for each in drawn[:4]
    ]
    toys.write_coco(path, moved, {4: 'red'})
    if changes:
        content = json.loads(path.read_text())
        content['annotations'][0] |= changes
        path.write_text(json.dumps(content))
    return {'type': 'CocoDataset', 'ann_file': str(path), 'data_prefix': {'img': str(pool)}}


def _build(pool: Path, store: Path, **changes: Any) -> PseudoLabeledDataset:
    """Return the dataset of a resolved config."""
    made = changes.pop('composition', toys.composition(store))
    dataset = {
        'type': 'mmcompose.PseudoLabeledDataset', 'pipeline': [],
        'dataset': {'type': 'mmcompose.UnlabeledImages', 'data_prefix': {'img': str(pool)}},
        **changes,
    }  # fmt: skip
    config = Config({'composition': made, 'model': {'type': 'RetinaNet'},
                     'train_dataloader': {'dataset': dataset}})  # fmt: skip
    resolved = resolve(config).config.train_dataloader.dataset
    with DefaultScope.overwrite_default_scope('mmdet'):
        built: PseudoLabeledDataset = DATASETS.build(resolved)
    return built


def test_a_picture_that_cannot_be_read_is_of_no_other_size(
    drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    pool = tmp_path / 'pool'
    toys.draw(pool, 8)
    (pool / '002.png').write_bytes(b'no picture')
    truth = _truth(tmp_path / 'red.json', drawn, pool)
    made = toys.composition(tmp_path / 'store', max_unreadable=0.5)
    dataset = _build(pool, tmp_path / 'store', truth=truth, composition=made)
    assert len(dataset) == 7


def test_truth_rules_its_classes_and_teachers_fill_the_others(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    truth = _truth(tmp_path / 'red.json', drawn, pool)
    dataset = _build(pool, tmp_path / 'store', truth=truth)
    for index, picture in enumerate(drawn):
        info = dataset.get_data_info(index)
        # Every class is covered by one or the other.
        assert 'covered_classes' not in info
        found = {each['bbox_label']: each for each in info['instances']}
        assert len(found) == len(info['instances']) == len(picture['boxes'])
        for label, name in enumerate(toys.STUDENT):
            if name in picture['boxes']:
                by = 1 if name == 'red' and index < 4 else 0
                box = [round(x) for x in found[label]['bbox']]
                assert box == [x + by for x in picture['boxes'][name]]
                assert ('score' in found[label]) == (by == 0)
    assert dataset.count_boxes().tolist() == [[7, 0]] * 3


def _of_classes(path: Path, drawn: list[dict[str, Any]], pool: Path, *names: str) -> dict[str, Any]:
    toys.write_coco(path, drawn, dict(enumerate(names, start=1)))
    return {'type': 'CocoDataset', 'ann_file': str(path), 'data_prefix': {'img': str(pool)}}


def test_several_truths_of_a_picture_rule_their_classes_together(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    made, _ = _half_covered(pool, drawn, tmp_path)
    red = _of_classes(tmp_path / 'red.json', drawn[:4], pool, 'red')
    # The same file again is the same truth; and one may name a picture by another path.
    red = {'type': 'RepeatDataset', 'times': 2, 'dataset': red}
    (tmp_path / 'link').symlink_to(pool)
    blue = _of_classes(tmp_path / 'blue.json', drawn[2:6], tmp_path / 'link', 'blue')
    for truths in ([red, blue], [blue, red]):
        truth = {'type': 'ConcatDataset', 'datasets': copy.deepcopy(truths)}
        dataset = _build(pool, tmp_path / 'store', truth=truth, composition=made)
        for index, picture in enumerate(drawn):
            info = dataset.get_data_info(index)
            assert info.get('covered_classes') == (None if 2 <= index < 6 else (GREEN, RED))
            by_truth = {RED: index < 4, BLUE: 2 <= index < 6, GREEN: False}
            names = [*picture['boxes']]
            expected = {(label, by_truth[label]) for label, name in enumerate(toys.STUDENT)
                        if name in names and (label != BLUE or by_truth[BLUE])}  # fmt: skip
            found = [(each['bbox_label'], 'score' not in each) for each in info['instances']]
            assert set(found) == expected and len(found) == len(expected)
        assert dataset.coverages == {None, (GREEN, RED)}


def test_two_truths_that_cover_one_class_of_a_picture_are_an_error(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    both = _of_classes(tmp_path / 'both.json', drawn, pool, 'red', 'green')
    blue = _of_classes(tmp_path / 'blue.json', drawn, pool, 'blue', 'green')
    truth = {'type': 'ConcatDataset', 'datasets': [both, blue]}
    expected = (
        r"truth: '000\.png' is listed twice with green labeled, in '.*both\.json' and "
        r"'.*blue\.json'; let covered_classes"
    )
    with pytest.raises(UserError, match=expected):
        _build(pool, tmp_path / 'store', truth=copy.deepcopy(truth)).full_init()
    # As the message says: green is the first one's.
    truth['datasets'][1] = {
        'type': 'mmcompose.ClassSpaceDataset', 'dataset': blue, 'covered_classes': ['blue'],
    }  # fmt: skip
    dataset = _build(pool, tmp_path / 'store', truth=truth)
    assert dataset.count_boxes().tolist() == [[7, 0]] * 3


def test_what_the_truth_says_to_ignore_is_ignored(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    for key in ('ignore', 'iscrowd'):
        truth = _truth(tmp_path / f'{key}.json', drawn, pool, **{key: 1})
        dataset = _build(pool, tmp_path / 'store', truth=truth)
        flags = {
            each['bbox_label']: each['ignore_flag']
            for each in dataset.get_data_info(0)['instances']
        }
        assert flags == {GREEN: 0, RED: 1, BLUE: 0}


@pytest.mark.parametrize(
    ('truth_iou_thr', 'ignored', 'left'),
    [(0.5, 0, {RED, BLUE}), (1.0, 0, {GREEN, RED, BLUE}), (0.5, 1, {GREEN, RED, BLUE})],
)
def test_a_true_object_has_one_name(
    truth_iou_thr: float, ignored: int, left: set[int], pool: Path,
    drawn: list[dict[str, Any]], tmp_path: Path,
) -> None:  # fmt: skip
    # The teacher takes for green what somebody labelled red.
    boxes = {'red': [x + 1 for x in drawn[0]['boxes']['green']]}
    toys.write_coco(tmp_path / 'red.json', [{**drawn[0], 'boxes': boxes}], {4: 'red'})
    if ignored:
        content = json.loads((tmp_path / 'red.json').read_text())
        content['annotations'][0]['iscrowd'] = 1
        (tmp_path / 'red.json').write_text(json.dumps(content))
    truth = {'type': 'CocoDataset', 'ann_file': str(tmp_path / 'red.json'),
             'data_prefix': {'img': str(pool)}}  # fmt: skip
    dataset = _build(pool, tmp_path / 'store', truth=truth, truth_iou_thr=truth_iou_thr)
    assert {each['bbox_label'] for each in dataset.get_data_info(0)['instances']} == left


@pytest.mark.parametrize(
    ('hierarchy', 'left'),
    [
        ({'red': ['green', 'blue']}, [GREEN, RED, BLUE]),
        ({'red': ['blue'], 'blue': ['green']}, [GREEN, RED, BLUE]),
        ({'green': ['red']}, [RED, BLUE]),
        ({'blue': ['green']}, [RED, BLUE]),
    ],
)
def test_a_finer_class_stays_beside_a_true_coarse_one(
    hierarchy: dict[str, list[str]], left: list[int], pool: Path,
    drawn: list[dict[str, Any]], tmp_path: Path,
) -> None:  # fmt: skip
    # Somebody labelled red what the teacher calls green.
    boxes = {'red': drawn[0]['boxes']['green']}
    toys.write_coco(tmp_path / 'red.json', [{**drawn[0], 'boxes': boxes}], {4: 'red'})
    truth = {'type': 'CocoDataset', 'ann_file': str(tmp_path / 'red.json'),
             'data_prefix': {'img': str(pool)}}  # fmt: skip
    steps = [{'type': 'mmcompose.ResolveHierarchy'}, *toys.LABEL_PIPELINE]
    changes = {'class_space': {'hierarchy': hierarchy}, 'label_pipeline': steps}
    made = toys.composition(tmp_path / 'store', **changes)
    dataset = _build(pool, tmp_path / 'store', truth=truth, composition=made)
    info = dataset.get_data_info(0)
    assert sorted(each['bbox_label'] for each in info['instances']) == left


def test_a_true_box_without_a_mask_is_ignored_by_a_student_of_masks(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / 'red.json'
    truth = {'type': 'CocoDataset', 'ann_file': str(path), 'data_prefix': {'img': str(pool)}}
    load = [
        {'type': 'LoadImageFromFile', 'backend_args': None},
        {'type': 'LoadAnnotations', 'with_bbox': True, 'with_mask': True},
        {'type': 'PackDetInputs'},
    ]
    made = toys.composition(tmp_path / 'store', teachers=mask_rcnn.TEACHERS)
    toys.write_coco(path, drawn, {4: 'red'})
    with pytest.raises(UserError, match='truth: none of its 7 instances has a mask'):
        _build(pool, tmp_path, truth=truth, composition=made, pipeline=load).full_init()
    toys.write_coco(path, drawn, {4: 'red'}, masks=True)
    content = json.loads(path.read_text())
    del content['annotations'][0]['segmentation']
    path.write_text(json.dumps(content))
    dataset = _build(pool, tmp_path, truth=truth, composition=made, pipeline=load)
    for index, taught in enumerate([[GREEN, BLUE], [GREEN, RED, BLUE]]):
        sample = dataset[index]['data_samples']
        assert sorted(sample.gt_instances.labels.tolist()) == taught
        ignored = sample.ignored_instances.labels.tolist()
        assert sorted([*taught, *ignored]) == [GREEN, RED, BLUE]


def test_a_picture_without_a_true_box_has_none_of_its_classes(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    nothing = [{**each, 'boxes': {}} for each in drawn]
    toys.write_coco(tmp_path / 'red.json', nothing, {4: 'red'})
    truth = {'type': 'CocoDataset', 'ann_file': str(tmp_path / 'red.json'),
             'data_prefix': {'img': str(pool)}}  # fmt: skip
    counts = _build(pool, tmp_path / 'store', truth=truth).count_boxes()
    assert counts[:, 0].tolist() == [7, 0, 7]


def _half_covered(
    pool: Path, drawn: list[dict[str, Any]], folder: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a composition, and the truth of half of its pictures, of a class that it lacks."""
    made = toys.composition(folder / 'store')
    del made['teachers']['second']
    made['class_space'] = {'classes': ['green', 'red', 'blue']}
    toys.write_coco(folder / 'blue.json', drawn[:4], {1: 'blue'})
    truth = {'type': 'CocoDataset', 'ann_file': str(folder / 'blue.json'),
             'data_prefix': {'img': str(pool)}}  # fmt: skip
    return made, truth


def test_a_class_that_no_teacher_knows_is_learned_where_truth_covers_it(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    made, truth = _half_covered(pool, drawn, tmp_path)
    dataset = _build(pool, tmp_path / 'store', truth=truth, composition=made)
    for index in range(8):
        info = dataset.get_data_info(index)
        assert info.get('covered_classes') == (None if index < 4 else (GREEN, RED))
    assert dataset.coverages == {None, (GREEN, RED)}
    assert dataset.count_boxes()[:, 0].tolist() == [7, 7, 3]
    mosaic = {'type': 'Mosaic'}
    with DefaultScope.overwrite_default_scope('mmdet'):
        mixed = DATASETS.build(
            {'type': 'MultiImageMixDataset', 'dataset': dataset, 'pipeline': [mosaic]}
        )
    with pytest.raises(UserError, match='labels cover different classes'):
        _check_mixes(mixed)


def _listed(
    folder: Path, drawn: list[dict[str, Any]], name: str, rows: range, classes: tuple[str, ...]
) -> dict[str, Any]:
    """Return a teacher that predicted on some of the pictures alone, elsewhere."""
    file = folder / f'{name}.json'
    toys.write_coco(file, [drawn[row] for row in rows], dict(enumerate(classes, start=1)))
    results = [{**each, 'score': 0.9} for each in json.loads(file.read_text())['annotations']]
    (folder / f'{name}_results.json').write_text(json.dumps(results))
    return {'type': 'mmcompose.COCOResultsTeacher', 'images': str(file), 'on_unmatched': 'warn',
            'results': str(folder / f'{name}_results.json')}  # fmt: skip


LEARNS = [
    *toys.LABEL_PIPELINE[:2], {'type': 'mmcompose.CrossClassSuppression'}, toys.LABEL_PIPELINE[2],
]  # fmt: skip


@pytest.mark.parametrize('steps', [toys.LABEL_PIPELINE, LEARNS], ids=['plain', 'learns'])
def test_a_class_of_which_no_owner_was_asked_is_not_background(
    steps: list[dict[str, Any]], pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    teachers = {
        'first': _listed(tmp_path, drawn, 'first', range(4), toys.FIRST),
        'second': _listed(tmp_path, drawn, 'second', range(2, 6), toys.SECOND),
    }
    made = toys.composition(tmp_path / 'store', teachers=teachers, label_pipeline=steps)
    every = [(GREEN, RED), (GREEN, RED), None, None, (RED, BLUE), (RED, BLUE), (), ()]
    dataset = _build(pool, tmp_path / 'store', composition=made)
    assert [dataset.get_data_info(n).get('covered_classes') for n in range(8)] == every
    assert dataset.get_data_info(7)['instances'] == []
    assert dataset.coverages == {*every}
    assert dataset.get_subset([0, 4, 1]).coverages == {(GREEN, RED), (RED, BLUE)}
    # Workers of another start method take it along, and the rows of a part are the pool's.
    part = pickle.loads(pickle.dumps(dataset.get_subset([6, 2])))
    assert [part.get_data_info(n).get('covered_classes') for n in range(2)] == [(), None]
    truth = _truth(tmp_path / 'red.json', drawn[4:], pool)
    ruled = _build(pool, tmp_path / 'store', composition=made, truth=truth)
    every[6:] = [(RED,), (RED,)]
    assert [ruled.get_data_info(n).get('covered_classes') for n in range(8)] == every
    assert ruled.coverages == {*every}
    mixing = [{'type': 'CachedMosaic', 'img_scale': (64, 64)}]
    # One source: to let each mix its own would not help.
    why = "no owner of some class, e.g. of 'green', predicted on 6 of 8 pictures; .* on_unmatched"
    with pytest.raises(UserError, match=f'labels cover different classes into one: {why}'):
        _check_mixes(_build(pool, tmp_path / 'store', composition=made, pipeline=mixing))


def test_pictures_are_counted_by_what_no_owner_predicted(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teachers = {
        name: _listed(tmp_path, drawn, name, range(5), classes)
        for name, classes in (('first', toys.FIRST), ('second', toys.SECOND))
    }
    made = toys.composition(tmp_path / 'store', teachers=teachers)
    truth = _truth(tmp_path / 'red.json', drawn, pool)
    dataset = _build(pool, tmp_path / 'store', composition=made, truth=truth)
    looked: list[int] = []
    unasked = DetectionTable.unasked

    def look(table: DetectionTable, row: int) -> tuple[int, ...]:
        looked.append(row)
        return unasked(table, row)

    monkeypatch.setattr(DetectionTable, 'unasked', look)
    every = frozenset({GREEN, RED, BLUE})
    assert dataset.count_missing() == {frozenset(): 5, every: 3}
    # Only where truth differs from picture to picture.
    assert looked == [0, 1, 2, 3]
    assert dataset.get_subset([7, 1, 5]).count_missing() == {frozenset(): 1, every: 2}


@pytest.mark.parametrize('kind', ['CachedMosaic', 'CachedMixUp'])
def test_a_pipeline_does_not_mix_pictures_of_different_coverage(
    kind: str, pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Such steps need no MultiImageMixDataset, and may stand in another."""
    made, truth = _half_covered(pool, drawn, tmp_path)
    mixing = {'type': kind, 'img_scale': (64, 64)}
    for steps in ([mixing], [{'type': 'RandomChoice', 'transforms': [[mixing], []]}]):
        parts: dict[str, Any] = {'composition': made, 'pipeline': steps}
        with pytest.raises(UserError, match=f'a {kind} mixes images whose labels cover'):
            _check_mixes(_build(pool, tmp_path / 'store', truth=truth, **parts))
        _check_mixes(_build(pool, tmp_path / 'store', **parts))


def test_truth_of_other_pictures_or_sizes_is_an_error(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    other = [{**each, 'file_name': f'x{each["file_name"]}'} for each in drawn]
    toys.write_coco(tmp_path / 'other.json', other, {4: 'red'})
    truth = {'type': 'CocoDataset', 'ann_file': str(tmp_path / 'other.json'),
             'data_prefix': {'img': str(pool)}}  # fmt: skip
    with pytest.raises(UserError, match=f'truth: none of its {len(drawn)} pictures is in the pool'):
        _build(pool, tmp_path / 'store', truth=truth).full_init()
    content = json.loads((tmp_path / 'other.json').read_text())
    content['images'] = [
        {**each, 'file_name': each['file_name'][1:], 'width': 90} for each in content['images']
    ]
    (tmp_path / 'other.json').write_text(json.dumps(content))
    with pytest.raises(
        UserError, match=r'000.png as 90x64, but the picture is 96x64 pixels; allow='
    ):
        _build(pool, tmp_path / 'store', truth=truth).full_init()


def test_a_class_that_the_student_lacks_is_told(
    pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    truth = _truth(tmp_path / 'red.json', drawn, pool)
    truth['metainfo'] = {'classes': ('violet',)}
    with pytest.raises(UserError, match='violet'):
        _build(pool, tmp_path / 'store', truth=truth)
