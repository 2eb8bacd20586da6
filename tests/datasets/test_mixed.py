"""Tests of MixedDataset and MixedSampler: the ratio in each batch, weights, classes, ranks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdet.registry import DATASETS
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmcompose.composition import Composition
from mmcompose.datasets import MixedDataset, MixedSampler
from mmcompose.datasets.mixed import images_per_source
from mmcompose.engine import resolve
from mmcompose.utils import UserError
from tests import toys
from tests.engine.toys import TRAIN_PIPELINE, student_config

NUM_IMAGES = 8


def _labeled(pool: Path, truth: str, **changes: Any) -> dict[str, Any]:
    inner = {'type': 'CocoDataset', 'ann_file': truth, 'data_prefix': {'img': str(pool)}}
    plain = {
        'type': 'mmcompose.ClassSpaceDataset',
        'dataset': inner,
        'classes': list(toys.STUDENT),
        'pipeline': [],
    }
    return {**plain, **changes}


def _pseudo_labeled(pool: Path, store: Path) -> dict[str, Any]:
    return {
        'type': 'mmcompose.PseudoLabeledDataset',
        'dataset': {'type': 'mmcompose.UnlabeledImages', 'data_prefix': {'img': str(pool)}},
        'composition': Composition.from_config(toys.composition(store)).resolved,
        'metainfo': {'classes': list(toys.STUDENT)},
        'pipeline': [],
    }


def _mixed(*sources: Any, **arguments: Any) -> MixedDataset:
    config = {'type': 'mmcompose.MixedDataset', 'datasets': list(sources), **arguments}
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset: MixedDataset = DATASETS.build(config)
    return dataset


def test_weights_of_a_source_are_multiplied_into_each_instance(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    sources = _labeled(pool, truth), _pseudo_labeled(pool, tmp_path)
    dataset = _mixed(*sources, weights=[1.0, 0.25])
    dataset.full_init()
    assert len(dataset) == 2 * NUM_IMAGES
    for index in (0, NUM_IMAGES):
        found = [each.get('weight', 1.0) for each in dataset[index]['instances']]
        assert found == [0.25 if index else 1.0] * 3


def test_a_weight_that_an_instance_has_is_multiplied(
    pool: Path, truth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = _mixed(_labeled(pool, truth), weights=[0.5])
    (source,) = dataset.datasets
    monkeypatch.setattr(source, 'relabel', lambda index, info: [{'weight': 0.5}, {}])
    assert source.get_data_info(0)['instances'] == [{'weight': 0.25}, {'weight': 0.5}]


def test_weights_reach_what_a_wrapper_wraps(pool: Path, truth: str) -> None:
    repeated = {'type': 'RepeatDataset', 'times': 2, 'dataset': _labeled(pool, truth)}
    dataset = _mixed(repeated, weights=[0.5])
    assert [each['weight'] for each in dataset.get_data_info(0)['instances']] == [0.5] * 3


def test_a_source_without_weights_is_told(pool: Path, truth: str) -> None:
    plain = _labeled(pool, truth)['dataset']
    with pytest.raises(UserError, match=r'weights\[0\]: CocoDataset has no weights'):
        _mixed(plain, weights=[0.5])


def test_labels_are_not_made_when_it_is_built(pool: Path, tmp_path: Path) -> None:
    _mixed(_pseudo_labeled(pool, tmp_path / 'store'))
    assert not (tmp_path / 'store').exists()


def test_the_classes_are_the_students_and_other_ones_are_an_error(pool: Path, truth: str) -> None:
    labeled = _labeled(pool, truth)
    assert _mixed(labeled, labeled).metainfo['classes'] == toys.STUDENT
    other = _labeled(pool, truth, classes=['red', 'green', 'blue'])
    with pytest.raises(UserError, match=r"datasets\[1\]: has other classes \(3, from 'red' on\)"):
        _mixed(labeled, other)


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        ({'weights': [1.0]}, 'MixedDataset.weights: [1.0] is not one number for each of 2'),
        ({'weights': [1.0, 0]}, 'MixedDataset.weights[1]: 0 is not above 0'),
        ({'source_ratio': [1, -1]}, 'MixedDataset.source_ratio[1]: -1 is not above 0'),
        ({'source_ratio': 3}, 'MixedDataset.source_ratio: 3 is not a list of numbers'),
    ],
)
def test_a_mistake_in_the_numbers_is_told(
    arguments: dict[str, Any], says: str, pool: Path, truth: str
) -> None:
    with pytest.raises(UserError) as caught:
        _mixed(_labeled(pool, truth), _labeled(pool, truth), **arguments)
    assert str(caught.value).startswith(says)


def test_a_ratio_that_no_sampler_keeps_is_told(pool: Path, truth: str) -> None:
    with pytest.raises(UserError) as caught:
        _mixed(_labeled(pool, truth), _labeled(pool, truth), source_ratio=[1, 3])
    (line,) = caught.value.lines
    assert line.startswith('MixedDataset.source_ratio: [1, 3] is kept by a sampler alone; set ')
    assert "runner_type='mmcompose.CompositionRunner'" in line


def test_truth_of_some_classes_says_which_it_covers(
    pool: Path, tmp_path: Path, drawn: list[dict[str, Any]]
) -> None:
    partial = toys.write_coco(tmp_path / 'partial.json', drawn, {1: 'blue', 2: 'green'})
    info = _mixed(_labeled(pool, partial))[0]
    assert info['covered_classes'] == (0, 2)
    assert sorted(each['bbox_label'] for each in info['instances']) == [0, 2]


def test_truth_that_lists_more_than_it_labels_can_say_so(pool: Path, truth: str) -> None:
    assert 'covered_classes' not in _mixed(_labeled(pool, truth))[0]
    stated = _mixed(_labeled(pool, truth, covered_classes=['red']))
    assert stated[0]['covered_classes'] == (1,)
    with pytest.raises(UserError, match=r"'rred' is not among .* did you mean 'red'"):
        _mixed(_labeled(pool, truth, covered_classes=['rred'])).full_init()


class Sources:
    """As much of a ConcatDataset as a sampler asks for."""

    def __init__(self, *sizes: int) -> None:
        self.datasets = [range(size) for size in sizes]
        self.cumulative_sizes = [sum(sizes[: n + 1]) for n in range(len(sizes))]

    def source(self, index: int) -> int:
        return next(n for n, end in enumerate(self.cumulative_sizes) if index < end)


sizes = st.lists(st.integers(1, 40), min_size=1, max_size=4)


@given(sizes, st.data())
def test_every_batch_keeps_the_ratio_and_every_image_comes(sizes: list[int], data: Any) -> None:
    shares = data.draw(st.lists(st.integers(1, 5), min_size=len(sizes), max_size=len(sizes)))
    sources = Sources(*sizes)
    sampler = MixedSampler(sources, sum(shares), shares, seed=1)
    order = list(sampler)
    assert len(order) == len(sampler)
    for start in range(0, len(order), sum(shares)):
        batch = order[start : start + sum(shares)]
        counts = Counter(sources.source(index) for index in batch)
        assert [counts[n] for n in range(len(sizes))] == shares
    assert set(order) == set(range(sum(sizes)))
    # Without replacement: no image comes twice before all of its source came once.
    for number, size in enumerate(sizes):
        of_one = [index for index in order if sources.source(index) == number]
        assert len(set(of_one[:size])) == min(size, len(of_one))


@given(st.integers(1, 64), st.lists(st.floats(0.01, 100), min_size=1, max_size=5))
def test_shares_of_a_batch_are_nearest_to_the_ratio(batch_size: int, ratio: list[float]) -> None:
    try:
        shares = images_per_source(batch_size, ratio)
    except UserError:
        assert min(ratio) / sum(ratio) * batch_size < 1
        return
    assert sum(shares) == batch_size
    for share, each in zip(shares, ratio, strict=True):
        assert abs(share - batch_size * each / sum(ratio)) < 1 + 1e-6


@pytest.mark.parametrize(
    ('batch_size', 'ratio', 'shares'), [(10, [0.7, 0.3], [7, 3]), (5, [1, 4], [1, 4])]
)
def test_shares_that_are_whole_are_exact(
    batch_size: int, ratio: list[float], shares: list[int]
) -> None:
    assert images_per_source(batch_size, ratio) == shares


def _order(sources: Sources, epoch: int = 0, **arguments: Any) -> list[int]:
    sampler = MixedSampler(sources, 4, [1, 3], **{'seed': 3, **arguments})
    sampler.set_epoch(epoch)
    return list(sampler)


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    sources = Sources(5, 30)
    assert _order(sources, epoch=2) == _order(sources, epoch=2)
    assert _order(sources, epoch=2) != _order(sources, epoch=1)
    assert _order(sources, seed=4) != _order(sources)


def test_an_epoch_has_the_stated_number_of_batches() -> None:
    assert len(_order(Sources(5, 30), num_batches=3)) == 12
    with pytest.raises(UserError, match='num_batches'):
        _order(Sources(5, 30), num_batches=0)


def test_ranks_share_the_images_without_a_double(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = []
    for rank in range(2):
        module = 'mmdet.datasets.samplers.multi_source_sampler.get_dist_info'
        monkeypatch.setattr(module, lambda rank=rank: (rank, 2))
        orders.append(_order(Sources(6, 30)))
    assert len(orders[0]) == len(orders[1]) == 20
    pooled = [index for index in orders[0] + orders[1] if index >= 6]
    assert sorted(pooled) == list(range(6, 36))


def test_a_ratio_that_leaves_a_source_out_is_an_error() -> None:
    with pytest.raises(UserError, match='leaves source 0 without an image in a batch of 4'):
        MixedSampler(Sources(5, 5), 4, [1, 9])


def _mixed_config(pool: Path, truth: str, folder: Path, **changes: Any) -> Config:
    config = student_config(pool, truth, folder)
    labeled = {**config.val_dataloader.dataset, 'test_mode': False, 'pipeline': TRAIN_PIPELINE}
    rest = config.train_dataloader.dataset
    config.train_dataloader.batch_size = 4
    config.train_dataloader.dataset = ConfigDict(
        type='mmcompose.MixedDataset', datasets=[labeled, rest], source_ratio=[1, 3], **changes
    )
    return config


def test_resolve_writes_the_ratio_into_the_sampler(pool: Path, truth: str, tmp_path: Path) -> None:
    config = _mixed_config(pool, truth, tmp_path, weights=[1.0, 0.5])
    loader = resolve(config).config.train_dataloader
    assert loader.sampler.to_dict() == {
        'type': 'mmcompose.MixedSampler',
        'batch_size': 4,
        'source_ratio': [1, 3],
    }
    assert loader.batch_sampler is None
    # Moved, so that one that nothing keeps to can be told.
    assert 'source_ratio' not in loader.dataset and loader.dataset.weights == [1.0, 0.5]
    kinds = [each.type for each in loader.dataset.datasets]
    assert kinds == ['mmcompose.ClassSpaceDataset', 'mmcompose.PseudoLabeledDataset']


@pytest.mark.parametrize('kind', ['mmcompose.MixedSampler', MixedSampler])
def test_a_sampler_of_the_users_own_keeps_its_length(
    kind: Any, pool: Path, truth: str, tmp_path: Path
) -> None:
    config = _mixed_config(pool, truth, tmp_path)
    config.train_dataloader.sampler = {'type': kind, 'num_batches': 3}
    assert resolve(config).config.train_dataloader.sampler.num_batches == 3
    config.train_dataloader.sampler.num_batches = 0
    with pytest.raises(UserError, match=r'MixedSampler.num_batches: 0 is not 1 or more'):
        resolve(config)


def test_a_data_loader_gives_batches_in_that_ratio(pool: Path, truth: str, tmp_path: Path) -> None:
    config = _mixed_config(pool, truth, tmp_path)
    # The labeled part is told by a picture that is never turned, the rest by one that always is.
    for number, source in enumerate(config.train_dataloader.dataset.datasets):
        turn = {'type': 'RandomFlip', 'prob': float(number)}
        pack = {'type': 'PackDetInputs', 'meta_keys': ['flip', 'img_path']}
        source.pipeline = [*TRAIN_PIPELINE[:2], turn, pack]
    config.train_dataloader.sampler = {'type': 'mmcompose.MixedSampler', 'num_batches': 3}
    config.train_dataloader.update(num_workers=1, persistent_workers=True)
    resolved = resolve(config).config
    with DefaultScope.overwrite_default_scope('mmdet'):
        loader = Runner.build_dataloader(resolved.train_dataloader, seed=0)
        batches = [[each.flip for each in batch['data_samples']] for batch in loader]
    assert batches == [[False, True, True, True]] * 3


@pytest.mark.parametrize('wrapper', ['RepeatDataset', 'MultiImageMixDataset'])
def test_a_wrapper_that_would_mix_sources_is_an_error(
    wrapper: str, pool: Path, truth: str, tmp_path: Path
) -> None:
    config = _mixed_config(pool, truth, tmp_path)
    loader = config.train_dataloader
    loader.dataset = ConfigDict(type=wrapper, dataset=loader.dataset)
    with pytest.raises(UserError, match=f'train_dataloader.dataset.type: {wrapper!r} stands'):
        resolve(config)


def test_a_hook_that_switches_one_pipeline_for_all_is_an_error(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = _mixed_config(pool, truth, tmp_path)
    config.custom_hooks = [{'type': 'PipelineSwitchHook', 'switch_epoch': 1, 'switch_pipeline': []}]
    with pytest.raises(UserError, match='PipelineSwitchHook'):
        resolve(config)


def test_yoloxs_hook_stops_mosaic_in_each_source_that_has_it() -> None:
    asked: list[Any] = []
    source = SimpleNamespace(update_skip_type_keys=asked.append)
    dataset = MixedDataset.__new__(MixedDataset)
    dataset.datasets = [source, object(), source]
    dataset.update_skip_type_keys(['Mosaic'])
    assert asked == [['Mosaic']] * 2
