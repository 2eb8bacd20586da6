"""Weights of labels from the label pipeline to the student's loss, by a config alone."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import Albu, LoadAnnotations
from mmdet.datasets.transforms import PackDetInputs as MMDetPackDetInputs
from mmdet.registry import DATASETS, TRANSFORMS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmcompose.datasets.transforms import PackDetInputs, decode_labels
from mmcompose.engine import resolve
from mmcompose.engine.hooks import UncertainLabelsHook
from mmcompose.engine.hooks.uncertain_labels import _check_mixes
from mmcompose.engine.label_weights import carry_weights
from mmcompose.engine.runner import CompositionRunner
from mmcompose.models.weighted_targets.targets import box_values
from mmcompose.registry import HOOKS
from mmcompose.utils import UserError, allowing
from tests import toys
from tests.engine.toys import TRAIN_PIPELINE, student_config
from tests.models.weighted_targets.students import GHM, PISA, build, samples

WEIGHED = [*toys.LABEL_PIPELINE, {'type': 'mmcompose.BoxWeights', 'by': 'score'}]


@pytest.fixture
def config(pool: Path, truth: str, tmp_path: Path) -> Config:
    composition = toys.composition(tmp_path / 'store', label_pipeline=WEIGHED)
    return student_config(pool, truth, tmp_path, composition=composition)


def _types(pipeline: Any) -> list[str]:
    return [step['type'] for step in pipeline]


def test_the_training_pipeline_carries_weights_and_no_other_does(config: Config) -> None:
    resolved = resolve(config).config
    assert _types(resolved.train_dataloader.dataset.pipeline) == [
        'LoadImageFromFile', 'LoadAnnotations', 'mmcompose.LoadLabelWeights', 'RandomFlip',
        'mmcompose.PackDetInputs',
    ]  # fmt: skip
    assert 'mmcompose.' not in str(resolved.val_dataloader.dataset.pipeline)
    hooks = _types(resolved.custom_hooks)
    assert hooks.count('mmcompose.UncertainLabelsHook') == 1


@pytest.mark.parametrize('kind', ['mmcompose.UncertainLabelsHook', UncertainLabelsHook])
def test_a_hook_of_the_users_own_stays(kind: Any, config: Config) -> None:
    own = {'type': kind, 'soft_targets': True}
    config.custom_hooks = [own]
    hooks = resolve(config).config.custom_hooks
    # A second one would weigh each label twice.
    assert [hook for hook in hooks if 'UncertainLabelsHook' in str(hook['type'])] == [own]


def test_pipelines_around_within_and_in_place_of_others_are_wired() -> None:
    load, flip, pack = TRAIN_PIPELINE[1:4]
    branches = {'type': 'MultiBranch', 'branch_field': ['sup'], 'sup': copy.deepcopy(pack)}
    resize = {'type': 'Resize', 'scale': (64, 64)}
    config = Config(
        {
            'train_dataloader': {
                'dataset': {
                    'type': 'ConcatDataset',
                    'datasets': [
                        {
                            'type': 'MultiImageMixDataset',
                            'dataset': {'type': 'CocoDataset', 'pipeline': [load]},
                            'pipeline': [{'type': 'Mosaic'}, pack],
                        },
                        {
                            'type': 'CocoDataset',
                            'pipeline': [
                                {'type': 'RandomChoice', 'transforms': [[load, flip], [load]]},
                                resize, branches,
                            ],
                        },
                    ],
                }
            },
            'custom_hooks': [{'type': 'PipelineSwitchHook', 'switch_pipeline': [load, pack]}],
        }
    )  # fmt: skip
    carry_weights(config)
    mixed, branched = config.train_dataloader.dataset.datasets
    weights = 'mmcompose.LoadLabelWeights'
    assert _types(mixed.dataset.pipeline) == ['LoadAnnotations', weights]
    assert _types(mixed.pipeline) == ['Mosaic', 'mmcompose.PackDetInputs']
    choice, scaled, last = branched.pipeline
    assert [_types(each) for each in choice.transforms] == [
        ['LoadAnnotations', weights, 'RandomFlip'], ['LoadAnnotations', weights],
    ]  # fmt: skip
    assert scaled.scale == (64, 64)
    assert last.sup.type == 'mmcompose.PackDetInputs'
    after = _types(config.custom_hooks[0].switch_pipeline)
    assert after == ['LoadAnnotations', weights, 'mmcompose.PackDetInputs']
    once = config.to_dict()
    carry_weights(config)
    assert config.to_dict() == once


def test_another_packer_is_refused(config: Config) -> None:
    config.train_dataloader.dataset.pipeline[-1] = {'type': 'PackTrackInputs'}
    with pytest.raises(UserError, match=r"train_dataloader.dataset.pipeline: .*'PackTrackInputs'"):
        resolve(config)


class OwnLoad(LoadAnnotations):  # type: ignore[misc]
    """A user's own."""


class OwnMMDetPack(MMDetPackDetInputs):  # type: ignore[misc]
    """A user's own, which packs no weights."""


class OwnPack(PackDetInputs):
    """A user's own, which packs them."""


def test_transforms_that_derive_from_those_that_load_and_pack_carry_weights(
    config: Config, drawn: list[dict[str, Any]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TRANSFORMS.module_dict, 'OwnLoad', OwnLoad)
        steps = config.train_dataloader.dataset.pipeline
        steps[1]['type'], steps[-1]['type'] = 'OwnLoad', OwnPack
        with DefaultScope.overwrite_default_scope('mmdet'):
            dataset = DATASETS.build(resolve(config).config.train_dataloader.dataset)
    assert [type(step).__name__ for step in dataset.pipeline.transforms] == [
        'LoadImageFromFile', 'OwnLoad', 'LoadLabelWeights', 'RandomFlip', 'OwnPack',
    ]  # fmt: skip
    instances = dataset[0]['data_samples'].gt_instances
    scores = [each['score'] for each in dataset.get_data_info(0)['instances']]
    assert box_values(instances, 'weights').tolist() == pytest.approx(scores)
    steps[1]['type'], steps[-1]['type'] = OwnLoad, OwnMMDetPack
    own = r"'OwnMMDetPack', .* derive from mmcompose\.datasets\.transforms\.PackDetInputs$"
    with pytest.raises(UserError, match=own):
        resolve(config)


class OwnAlbu(Albu):  # type: ignore[misc]
    """A user's own."""


ALBU = {'type': 'Albu', 'transforms': [{'type': 'ChannelShuffle'}]}


@pytest.mark.parametrize(
    ('step', 'told'),
    [
        ({'type': 'InstaBoost'}, 'InstaBoost makes boxes anew'),
        ({'type': 'RandomSamplingNegPos'}, 'RandomSamplingNegPos reads labels'),
        (
            {**ALBU, 'bbox_params': {'type': 'BboxParams', 'label_fields': ['gt_bboxes_labels']}},
            'Albu hands gt_bboxes_labels .* set filter_lost_elements=True',
        ),
    ],
)
def test_a_transform_that_would_lose_weights_is_refused(step: dict[str, Any], told: str) -> None:
    pipeline = [TRAIN_PIPELINE[1], step, {'type': 'PackDetInputs'}]
    config = Config({'train_dataloader': {'dataset': {'type': 'Any', 'pipeline': pipeline}}})
    with pytest.raises(UserError, match=rf'dataset.pipeline\[\d\]: {told}'):
        carry_weights(config)


def test_one_that_derives_from_such_a_transform_is_refused() -> None:
    parameters = {'type': 'BboxParams', 'label_fields': ['gt_bboxes_labels']}
    pipeline = [{**ALBU, 'type': OwnAlbu, 'bbox_params': parameters}]
    with pytest.raises(UserError, match=r'pipeline\[0\]: OwnAlbu hands gt_bboxes_labels'):
        carry_weights(
            Config({'train_dataloader': {'dataset': {'type': 'Any', 'pipeline': pipeline}}})
        )


class DropFirstClass(BaseTransform):  # type: ignore[misc]
    """A user's own, which takes labels for classes."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Drop boxes."""
        kept = self.labels(results) != 0
        for name in ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags'):
            results[name] = results[name][kept]
        return results

    def labels(self, results: dict[str, Any]) -> Any:
        """Return the boxes' classes."""
        return results['gt_bboxes_labels']


class DropFirstClassDecoded(BaseTransform):  # type: ignore[misc]
    """The same, which takes them apart."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Drop boxes."""
        labels, _, _ = decode_labels(results['gt_bboxes_labels'])
        for name in ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags'):
            results[name] = results[name][labels != 0]
        return results


def test_a_transform_of_the_users_own_that_reads_labels_is_told(config: Config) -> None:
    steps = config.train_dataloader.dataset.pipeline
    steps.insert(2, {'type': DropFirstClass})
    line = r"dataset\.pipeline\[2\]\.type: 'DropFirstClass' handles gt_bboxes_labels, .*label-codes"
    with pytest.raises(UserError, match=line):
        resolve(config)
    with allowing(['label-codes']):
        resolve(config)
    steps[2]['type'] = DropFirstClassDecoded
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(resolve(config).config.train_dataloader.dataset)
    found = [dataset[row]['data_samples'].gt_instances.labels for row in range(len(dataset))]
    assert set(torch.cat(found).tolist()) == {1, 2}


def test_albu_that_keeps_labels_to_itself_is_not_refused() -> None:
    parameters = {'label_fields': ['gt_bboxes_labels'], 'filter_lost_elements': True}
    pipeline = [TRAIN_PIPELINE[1], {**ALBU, 'bbox_params': parameters}, {'type': 'PackDetInputs'}]
    carry_weights(Config({'train_dataloader': {'dataset': {'type': 'Any', 'pipeline': pipeline}}}))


def test_a_pseudo_labels_score_is_its_weight_in_the_sample(
    config: Config, drawn: list[dict[str, Any]]
) -> None:
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(resolve(config).config.train_dataloader.dataset)
    boxes = 0
    for index in range(len(drawn)):
        instances = dataset[index]['data_samples'].gt_instances
        scores = [each['score'] for each in dataset.get_data_info(index)['instances']]
        assert box_values(instances, 'weights').tolist() == pytest.approx(scores)
        assert box_values(instances, 'scores').tolist() == pytest.approx(scores, abs=1e-4)
        boxes += len(scores)
    assert boxes > 0


@HOOKS.register_module()
class _Watch(Hook):
    """Keep what a training looked like."""

    priority = 'VERY_LOW'
    seen: dict[str, Any] = {}  # noqa: RUF012

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None
    ) -> None:
        assert data_batch is not None
        head = runner.model.bbox_head
        _Watch.seen['attached'] = 'loss_by_feat' in vars(head)
        samples = data_batch['data_samples']
        weights = [box_values(sample.gt_instances, 'weights') for sample in samples]
        _Watch.seen.setdefault('weights', []).extend(weights)

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        layer = runner.model.bbox_head.retina_cls.weight
        _Watch.seen.setdefault('layers', []).append(layer.detach().clone())


def _train(config: Config, folder: Path) -> dict[str, Any]:
    _Watch.seen = {}
    config = copy.deepcopy(config)
    config.work_dir = str(folder)
    config.custom_hooks = [{'type': 'mmcompose._Watch'}]
    config.default_hooks.checkpoint = None
    config.val_dataloader = config.val_cfg = config.val_evaluator = None
    runner = CompositionRunner.from_cfg(config)
    runner.train()
    assert 'loss_by_feat' not in vars(runner.model.bbox_head)
    return _Watch.seen


def test_a_training_is_weighed_from_a_config(config: Config, tmp_path: Path) -> None:
    weighed = _train(config, tmp_path / 'weighed')
    assert weighed['attached']
    assert all(((each > 0) & (each < 1)).all() for each in weighed['weights'])
    config.composition.label_pipeline = toys.LABEL_PIPELINE
    plain = _train(config, tmp_path / 'plain')
    assert all((each == 1).all() for each in plain['weights'])
    # The first step starts from the same student and images.
    assert not torch.equal(weighed['layers'][0], plain['layers'][0])
    again = _train(config, tmp_path / 'again')
    assert all(map(torch.equal, plain['layers'], again['layers']))


def test_images_that_cover_different_classes_are_not_mixed_into_one(
    config: Config, pool: Path, drawn: list[dict[str, Any]], tmp_path: Path
) -> None:
    load, pack = TRAIN_PIPELINE[:2], TRAIN_PIPELINE[-1]
    partly = toys.write_coco(tmp_path / 'partly.json', drawn, {1: 'red'})
    labeled = {
        'type': 'CocoDataset', 'ann_file': partly, 'data_prefix': {'img': str(pool)},
        'pipeline': load,
    }  # fmt: skip
    pseudo = {**config.train_dataloader.dataset, 'pipeline': load}
    mosaic = {'type': 'Mosaic', 'img_scale': (64, 64)}

    def start(*parts: Any) -> None:
        changed = copy.deepcopy(config)
        changed.train_dataloader.dataset = {
            'type': 'MultiImageMixDataset',
            'dataset': {'type': 'ConcatDataset', 'datasets': list(parts)},
            'pipeline': [mosaic, pack],
        }
        with DefaultScope.overwrite_default_scope('mmdet'):
            dataset = DATASETS.build(resolve(changed).config.train_dataloader.dataset)
        _check_mixes(dataset)

    with pytest.raises(UserError, match='cover different classes'):
        start(labeled, pseudo)
    start(labeled, labeled)
    start(pseudo, pseudo)


@pytest.mark.parametrize('soft', [False, True])
def test_what_does_not_reach_a_head_is_said_when_it_matters(
    soft: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr('mmcompose.engine.hooks.uncertain_labels.warn', said.append)
    loader = SimpleNamespace(dataset=None)
    heads = {'PISARetinaHead': PISA, 'RetinaHead': GHM}
    for name, head in heads.items():
        said.clear()
        hook = UncertainLabelsHook(soft_targets=soft)
        runner = SimpleNamespace(model=build(head), train_dataloader=loader)
        hook.before_train(runner)
        # GHM's loss takes weights, but counts the labels that it sees; PISA's takes neither.
        told = f'model.bbox_head: {name} takes no soft class targets'
        assert [line.startswith(told) for line in said] == [True] * soft
        said.clear()
        hook.before_train_iter(runner, 0, {'data_samples': samples()})
        assert said == []
        for _ in range(2):
            hook.before_train_iter(runner, 1, {'data_samples': samples([[1.0, 0.5]] * 2)})
        told = 'model.bbox_head: PISARetinaHead has a loss of its own'
        assert [line.startswith(told) for line in said] == [True] * (name == 'PISARetinaHead')
        hook.after_train(runner)
