"""Tests of resolve: what follows from the composition is written where MMDetection looks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS, METRICS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.fileio import dump, load
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from mmcompose.engine import resolve
from mmcompose.engine.checked import resolve_checked
from mmcompose.utils import UserError
from tests import toys
from tests.engine.toys import TEST_PIPELINE, student_config
from tests.tools.running import write_plain


@pytest.fixture
def config(pool: Path, truth: str, tmp_path: Path) -> Config:
    return student_config(pool, truth, tmp_path)


def test_the_input_is_left_as_it_is(config: Config) -> None:
    before = config.to_dict()
    resolve(config)
    assert config.to_dict() == before


def test_nothing_is_written(config: Config, tmp_path: Path) -> None:
    resolve(config)
    assert list(tmp_path.iterdir()) == []


def test_the_class_count_and_names_follow_from_the_class_space(config: Config) -> None:
    resolved = resolve(config).config
    assert resolved.model.bbox_head.num_classes == 3
    assert resolved.train_dataloader.dataset.metainfo.classes == list(toys.STUDENT)
    for name in ('val_dataloader', 'test_dataloader'):
        assert resolved[name].dataset.type == 'mmcompose.ClassSpaceDataset'
        assert resolved[name].dataset.classes == list(toys.STUDENT)


def test_the_result_is_plain_and_its_dump_is_the_same_config(
    config: Config, tmp_path: Path
) -> None:
    resolved = resolve(config).config
    assert not {'composition', 'runner_type'} & set(resolved.keys())
    resolved.dump(str(tmp_path / 'dump.py'))
    assert Config.fromfile(tmp_path / 'dump.py').to_dict() == resolved.to_dict()


@pytest.mark.parametrize('is_wrapped', [False, True])
def test_a_labeled_sets_pipeline_stands_where_mmdets_inferencer_looks(
    config: Config, is_wrapped: bool
) -> None:
    inner = config.test_dataloader.dataset
    if is_wrapped:
        config.test_dataloader.dataset = {'type': 'mmcompose.ClassSpaceDataset', 'dataset': inner}
    dataset = resolve(config).config.test_dataloader.dataset
    assert [step.type for step in dataset.pipeline] == [step['type'] for step in TEST_PIPELINE]
    assert 'pipeline' not in dataset.dataset


NEW_STYLE = """
from mmengine.config import read_base
with read_base():
    from .base import *
from mmcv.transforms import LoadImageFromFile
from mmdet.datasets import CocoDataset
from mmdet.datasets.transforms import LoadAnnotations, PackDetInputs
from mmcompose.datasets import PseudoLabeledDataset
from mmcompose.labeling import WeightedBoxesFusion
from mmcompose.teachers import FunctionTeacher
composition['teachers']['first']['type'] = FunctionTeacher
composition['label_pipeline'] = [dict(type=WeightedBoxesFusion)]
train_dataloader['dataset'].update(
    type=PseudoLabeledDataset,
    pipeline=[
        dict(type=LoadImageFromFile),
        dict(type=LoadAnnotations, with_bbox=True),
        dict(type=PackDetInputs),
    ],
)
val_dataloader['dataset'].update(type=CocoDataset)
"""


def test_a_config_that_imports_its_classes_is_resolved_and_dumped(
    config: Config, tmp_path: Path
) -> None:
    write_plain(tmp_path / 'base.py', config)
    (tmp_path / 'compose.py').write_text(NEW_STYLE)
    resolved = resolve(Config.fromfile(tmp_path / 'compose.py')).config
    resolved.dump(tmp_path / 'dump.py')
    dumped = Config.fromfile(tmp_path / 'dump.py')
    assert [step.type.rpartition('.')[2] for step in dumped.train_dataloader.dataset.pipeline] == [
        'LoadImageFromFile', 'LoadAnnotations', 'LoadLabelWeights', 'PackDetInputs'
    ]  # fmt: skip
    (step,) = dumped.train_dataloader.dataset.composition.label_pipeline
    assert step.type == 'mmcompose.labeling.WeightedBoxesFusion'


def test_unprefixed_names_are_mmdets_whatever_scope_was_used_before(config: Config) -> None:
    with DefaultScope.overwrite_default_scope('mmengine'):
        resolved = resolve(config).config
        assert DefaultScope.get_current_instance().scope_name == 'mmengine'
    assert resolved.default_scope == 'mmdet'


def test_a_config_without_a_scope_gets_mmdets(config: Config) -> None:
    config.pop('default_scope')
    assert resolve(config).config.default_scope == 'mmdet'


@pytest.mark.parametrize('wrapper', ['RepeatDataset', 'ConcatDataset'])
def test_datasets_in_wrappers_get_the_students_classes(config: Config, wrapper: str) -> None:
    inner = config.val_dataloader.dataset
    config.val_dataloader.dataset = (
        {'type': wrapper, 'dataset': inner, 'times': 2}
        if wrapper == 'RepeatDataset'
        else {'type': wrapper, 'datasets': [inner, inner]}
    )
    dataset = resolve(config).config.val_dataloader.dataset
    part = dataset.dataset if wrapper == 'RepeatDataset' else dataset.datasets[1]
    assert part.type == 'mmcompose.ClassSpaceDataset'
    assert part.classes == list(toys.STUDENT)


def evaluations(
    config: Config, drawn: Sequence[dict[str, Any]], shift: int = 0, times: int = 1
) -> list[dict[str, float]]:
    """Return what the metric finds of the true boxes, their labels shifted, each time anew."""
    resolved = resolve(config).config
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(resolved.val_dataloader.dataset)
        metric = METRICS.build(resolved.val_evaluator)
    metric.dataset_meta = dataset.metainfo
    found = []
    for _ in range(times):
        for index, picture in enumerate(drawn):
            sample: DetDataSample = dataset[index]['data_samples']
            boxes = torch.tensor(list(picture['boxes'].values()), dtype=torch.float).reshape(-1, 4)
            labels = [toys.STUDENT.index(name) for name in picture['boxes']]
            sample.pred_instances = InstanceData(
                bboxes=boxes,
                scores=torch.ones(len(boxes)),
                labels=(torch.tensor(labels, dtype=torch.long) + shift) % 3,
            )
            metric.process({}, [sample.to_dict()])
        found.append(metric.evaluate(len(drawn)))
    return found


def perfect(config: Config, drawn: Sequence[dict[str, Any]], shift: int = 0) -> float:
    """Return the mAP that the metric gives to the true boxes, their labels shifted."""
    return evaluations(config, drawn, shift)[0]['coco/bbox_mAP']


@pytest.mark.parametrize('shift', [0, 1])
def test_perfect_predictions_score_one_and_shifted_labels_do_not(
    config: Config, drawn: list[dict[str, Any]], shift: int
) -> None:
    assert perfect(config, drawn, shift) == (0 if shift else 1)


def test_pictures_of_two_files_that_are_numbered_alike_are_told_apart(
    config: Config, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    whole = config.val_dataloader.dataset
    halves = drawn[:4], drawn[4:]
    names = dict(enumerate(toys.STUDENT, 1))
    files = [toys.write_coco(tmp_path / f'{n}.json', half, names) for n, half in enumerate(halves)]
    parts = [{**whole, 'ann_file': path} for path in files]
    config.val_dataloader.dataset = {'type': 'ConcatDataset', 'datasets': parts}
    assert perfect(config, drawn) == 1
    # Which picture a box is in counts.
    assert perfect(config, drawn[4:] + drawn[:4]) < 0.5


def test_a_metric_with_a_file_of_its_own_finds_that_files_ids(
    config: Config, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    own_order = toys.write_coco(tmp_path / 'own.json', drawn, dict(enumerate(toys.STUDENT)))
    whole = config.val_dataloader.dataset
    config.val_dataloader.dataset = {'type': 'ConcatDataset', 'datasets': [whole, whole]}
    config.val_evaluator = [
        config.val_evaluator,
        {'type': 'LVISMetric', 'ann_file': own_order, 'metric': 'bbox'},
    ]
    parts = resolve(config).config.val_dataloader.dataset.datasets
    assert not any('img_ids' in part for part in parts)


class NamedCocoMetric(CocoMetric):  # type: ignore[misc]
    """A metric that scores as CocoMetric does."""


class OtherCocoMetric(CocoMetric):  # type: ignore[misc]
    """A metric that may score in any way."""

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        scores: dict[str, float] = super().compute_metrics(results)
        return scores


def test_a_metric_that_inherits_cocos_scores_takes_the_students_classes(
    config: Config, drawn: list[dict[str, Any]]
) -> None:
    config.val_evaluator.type = NamedCocoMetric
    assert perfect(config, drawn) == 1


def test_another_metric_needs_a_file_in_the_students_order(
    config: Config, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    config.val_evaluator.type = OtherCocoMetric
    told = (
        r"^val_evaluator\.ann_file: '.*' lists other classes \(3, number 0 is 'blue'\) than the "
        r"student's \(3, number 0 is 'green'\), and OtherCocoMetric goes by their order; .*"
        r"allow=\['class-order'\]"
    )
    with pytest.raises(UserError, match=told):
        resolve(config)
    own_order = toys.write_coco(tmp_path / 'own.json', drawn, dict(enumerate(toys.STUDENT)))
    config.val_evaluator.ann_file = config.val_dataloader.dataset.ann_file = own_order
    assert perfect(config, drawn) == 1


@pytest.mark.parametrize('categories', [{7: 'blue', 2: 'rot', 5: 'green'}, {4: 'red', 3: 'ant'}])
@pytest.mark.parametrize('format_only', [False, True])
def test_results_are_written_by_the_ids_of_the_datasets_file(
    config: Config,
    drawn: list[dict[str, Any]],
    tmp_path: Path,
    categories: dict[int, str],
    format_only: bool,
) -> None:
    named = [
        {**picture, 'boxes': {'rot' if n == 'red' else n: b for n, b in picture['boxes'].items()}}
        for picture in drawn
    ]
    pictures = named if 'rot' in categories.values() else drawn
    config.composition.class_space = {'aliases': [{'red': ['rot']}]}
    path = toys.write_coco(tmp_path / 'file.json', pictures, categories)
    config.val_dataloader.dataset.ann_file = path
    prefix = str(tmp_path / 'results')
    config.val_evaluator.update(outfile_prefix=prefix, format_only=format_only, classwise=True)
    # The second evaluation of a metric writes its results anew.
    scores = evaluations(config, drawn, times=2)
    assert [each.get('coco/bbox_mAP') for each in scores] == [None if format_only else 1] * 2
    written = {(each['image_id'], each['category_id']) for each in load(f'{prefix}.bbox.json')}
    assert written == {(a['image_id'], a['category_id']) for a in load(path)['annotations']}
    ids = {each['id']: each['name'] for each in load(f'{prefix}.gt.json')['categories']}
    assert ids == {
        number: {'rot': 'red'}.get(name, name)
        for number, name in categories.items()
        if name != 'ant'
    }


@pytest.mark.parametrize('format_only', [False, True])
def test_a_file_without_annotations_is_for_results_alone(
    config: Config, truth: str, tmp_path: Path, format_only: bool
) -> None:
    content = load(truth)
    del content['annotations']
    path = tmp_path / 'test-dev.json'
    dump(content, path)
    config.test_dataloader = copy.deepcopy(config.val_dataloader)
    config.test_dataloader.dataset.ann_file = str(path)
    prefix = str(tmp_path / 'results')
    config.test_evaluator.update(format_only=format_only, outfile_prefix=prefix)
    if not format_only:
        with pytest.raises(UserError, match=r'^test_dataloader.*ann_file: .* has no annotations;'):
            resolve_checked(config)
        return
    resolved = resolve_checked(config).config
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(resolved.test_dataloader.dataset)
    assert [dataset.get_data_info(row)['instances'] for row in range(len(dataset))] == [[]] * 8


def test_results_that_have_no_ids_of_one_file_are_refused(
    config: Config, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    whole = config.val_dataloader.dataset
    config.val_evaluator.outfile_prefix = 'out'
    config.val_evaluator.type = NamedCocoMetric
    with pytest.raises(UserError, match=r"^val_evaluator\.outfile_prefix: 'out' .*NamedCocoMetric"):
        resolve(config)
    config.val_evaluator.type = 'CocoMetric'
    config.val_dataloader.dataset = {'type': 'ConcatDataset', 'datasets': [whole, whole]}
    with pytest.raises(UserError, match=r"^val_evaluator\.outfile_prefix: 'out' .* several data"):
        resolve(config)
    config.composition.class_space = {'aliases': [{'red': ['rot']}]}
    categories = {1: 'red', 2: 'rot', 3: 'green', 4: 'blue'}
    path = toys.write_coco(tmp_path / 'file.json', drawn, categories)
    config.val_dataloader.dataset = {**whole, 'ann_file': path}
    with pytest.raises(UserError, match=r'^val_evaluator\.outfile_prefix: .* has red, rot for the'):
        resolve(config)


def test_instances_are_passed_on_where_the_pipeline_lists_no_meta_keys(config: Config) -> None:
    config.val_dataloader.dataset.pipeline = [*TEST_PIPELINE[:-1], {'type': 'PackDetInputs'}]
    pipeline = resolve(config).config.val_dataloader.dataset.pipeline
    assert {'instances', 'img_id', 'scale_factor', 'flip'} <= set(pipeline[-1].meta_keys)


def test_instances_are_passed_on_through_test_time_augmentation(config: Config) -> None:
    made_up = resolve(config).config.tta_pipeline
    assert [step['type'] for step in made_up] == [
        'LoadImageFromFile', 'Resize', 'LoadAnnotations', 'TestTimeAug'
    ]  # fmt: skip
    assert 'instances' in made_up[-1]['transforms'][1][0]['meta_keys']
    pack = {'type': 'PackDetInputs', 'meta_keys': ('img_id',)}
    config.tta_pipeline = [{'type': 'TestTimeAug', 'transforms': [[{'type': 'Resize'}], [pack]]}]
    own = resolve(config).config.tta_pipeline
    assert own[0]['transforms'][1][0]['meta_keys'] == ('img_id', 'instances')


def test_a_model_with_test_time_augmentation_takes_labels_as_it_does_without(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.model.train_cfg.assigner.ignore_iof_thr = 0.5
    warned: list[str] = []
    monkeypatch.setattr('mmcompose.checks.check_label_support.warn', warned.append)
    config.model = {'type': 'DetTTAModel', 'tta_cfg': {}, 'module': config.model}
    assert resolve(config).config.model.module.bbox_head.num_classes == 3
    assert warned == []


def test_what_a_config_allows_reaches_teachers_truth_and_pool(config: Config) -> None:
    config.allow = ['listed-sizes']
    config.composition.allow = ['box-form']
    resolved = resolve(config)
    assert resolved.composition.resolved['allow'] == ['box-form', 'listed-sizes']
    assert resolved.composition.teachers['first'].allow == ('box-form', 'listed-sizes')
    train, truth = (resolved.config[f'{name}_dataloader'].dataset for name in ('train', 'val'))
    assert train.composition.allow == truth.allow == ['box-form', 'listed-sizes']
    assert 'allow' not in resolved.config
    with DefaultScope.overwrite_default_scope('mmdet'):
        pool = DATASETS.build({**train, 'pipeline': []}).dataset
    assert pool._allow == ['box-form', 'listed-sizes']
    # Where nothing is allowed, nothing is written.
    config.pop('allow'), config.composition.pop('allow')
    assert 'allow' not in resolve(config).config.val_dataloader.dataset


def test_a_composition_of_a_datasets_own_is_refused(config: Config) -> None:
    """It was replaced by the config's in silence, its store with it."""
    config.train_dataloader.dataset.composition = {'store': 'own'}
    with pytest.raises(UserError, match=r'^train_dataloader\.dataset\.composition: is set here'):
        resolve(config)


def test_hooks_are_added_once(config: Config) -> None:
    config.custom_hooks = [{'type': 'mmcompose.ClassRowsHook', 'keep': False}]
    rows, summary, uncertain = resolve(config).config.custom_hooks
    assert (rows.type, rows.keep) == ('mmcompose.ClassRowsHook', False)
    assert rows.classes == list(toys.STUDENT)
    assert summary.type == 'mmcompose.LabelSummaryHook'
    assert uncertain.type == 'mmcompose.UncertainLabelsHook'


def test_a_config_without_composition_is_an_error() -> None:
    with pytest.raises(UserError, match='composition: is missing'):
        resolve(Config({'model': {}}))


def test_an_unknown_dataset_is_told_with_the_nearest(config: Config) -> None:
    config.train_dataloader.dataset.type = 'mmcompose.PseudoLabelledDataset'
    with pytest.raises(UserError) as caught:
        resolve(config)
    (line,) = caught.value.lines
    assert line.startswith("train_dataloader.dataset.type: 'mmcompose.PseudoLabelledDataset'")
    assert line.endswith("did you mean 'mmcompose.PseudoLabeledDataset'?")


def test_an_unknown_dataset_is_named_by_where_it_stands(config: Config) -> None:
    config.train_dataloader.dataset.truth = {
        'type': 'ConcatDataset', 'datasets': [{'type': 'CocoDatset'}]
    }  # fmt: skip
    with pytest.raises(UserError) as raised:
        resolve(config)
    (line,) = raised.value.lines
    assert line.startswith("train_dataloader.dataset.truth.datasets[0].type: 'CocoDatset' is no")


def test_every_missing_input_is_told_before_a_run_starts(
    config: Config, truth: str, tmp_path: Path
) -> None:
    config.train_dataloader.dataset.dataset.data_prefix.img = str(tmp_path)
    config.val_dataloader.dataset.ann_file = f'{truth}x'
    config.test_dataloader = config.test_evaluator = config.test_cfg = None
    config.load_from = str(tmp_path / 'none.pth')
    (tmp_path / 'file').touch()
    config.work_dir = str(tmp_path / 'file' / 'work')
    with pytest.raises(UserError) as caught:
        resolve_checked(config)
    assert [line.split(': ')[0] for line in caught.value.lines] == [
        'train_dataloader.dataset.dataset.data_prefix.img',
        'val_dataloader.dataset.ann_file',
        'load_from',
        'work_dir',
    ]
