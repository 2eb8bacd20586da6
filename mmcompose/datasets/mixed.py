"""MixedDataset: several sources in each batch, in a stated ratio."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from mmdet.datasets import ConcatDataset
from mmdet.datasets.samplers import MultiSourceSampler

from mmcompose.datasets.relabeled import RelabeledDataset
from mmcompose.datasets.wrapping import wrapped
from mmcompose.registry import DATA_SAMPLERS, DATASETS, class_of
from mmcompose.utils import Count, Mistakes, Positive, UserError, check_values, fault, problem


@DATASETS.register_module()
class MixedDataset(ConcatDataset):
    """Several sources, e.g. a labeled part and the pseudo-labeled rest, in one training set.

    Each source is a dataset with a pipeline of its own: weak for one, strong for another.
    Mosaic and mixup stay within a source: ``MultiImageMixDataset`` stands around one of
    ``datasets``, never around this.

    Args:
        datasets: The sources, or their configs. All have the student's classes.
        source_ratio: How many of a batch's images come from each source, as a proportion;
            ``resolve`` moves it to the :class:`MixedSampler` that keeps to it. Without
            ``resolve`` it belongs there, and is an error here. Defaults to none: the sources are
            one after the other, and the data loader's own sampler draws from all.
        weights: How much a box of each source counts; multiplied into each instance's
            ``weight``, which is 1 where it is absent. Defaults to 1 for all.
        lazy_init: Whether to leave loading to ``full_init``. Defaults to True.

    Raises:
        UserError: If a source has other classes than the first, there are not as many numbers
            as sources, or ``resolve`` has not moved the ratio to a sampler.
    """

    def __init__(
        self,
        datasets: Sequence[Any],
        source_ratio: Sequence[Positive] | None = None,
        weights: Sequence[Positive] | None = None,
        lazy_init: bool = True,
    ) -> None:
        check_sources(len(datasets), source_ratio, weights)
        if source_ratio is not None:
            # A dataset cannot keep to it: any other sampler would draw from all in silence.
            expected = (
                "is kept by a sampler alone; set runner_type='mmcompose.CompositionRunner', which "
                "writes it, or give it to a sampler of type 'mmcompose.MixedSampler' instead"
            )
            raise UserError(problem('MixedDataset.source_ratio', list(source_ratio), expected))
        # Classes are compared below, whether lists or tuples: MMDet makes a list of metainfo.
        super().__init__(datasets, lazy_init=True, ignore_keys=['classes'])
        self._metainfo = self._common_metainfo()
        for number, weight in enumerate(weights or ()):
            _weigh(self.datasets[number], weight, number)
        if not lazy_init:
            self.full_init()

    def _common_metainfo(self) -> dict[str, Any]:
        first, *others = (dataset.metainfo for dataset in self.datasets)
        classes = tuple(first.get('classes', ()))
        problems = [
            fault(
                f'MixedDataset.datasets[{number}]',
                f'has other classes ({_told(each.get("classes", ()))}) than datasets[0] '
                f'({_told(classes)})',
            )
            for number, each in enumerate(others, start=1)
            if tuple(each.get('classes', ())) != classes
        ]
        if problems:
            raise UserError(*problems)
        return {**first, 'classes': classes}

    def update_skip_type_keys(self, skip_type_keys: Sequence[str]) -> None:
        """Let YOLOX's hook stop mosaic and mixup in every source that has them."""
        for dataset in self.datasets:
            if hasattr(dataset, 'update_skip_type_keys'):
                dataset.update_skip_type_keys(skip_type_keys)


def check_sources(
    num_sources: int,
    source_ratio: Sequence[float] | None = None,
    weights: Sequence[float] | None = None,
) -> None:
    """Check that there is one number above 0 for each source.

    Raises:
        UserError: If there is not, with a line for each mistake.
    """
    key = MixedDataset.__name__
    mistakes = Mistakes()
    if num_sources < 1:
        mistakes.add(fault(f'{key}.datasets', 'names no source'))
    for name, values in (('source_ratio', source_ratio), ('weights', weights)):
        problems = check_values(MixedDataset, {name: values}, key)
        if not problems and values is not None and len(values) != num_sources:
            expected = f'is not one number for each of {num_sources} sources'
            problems = [problem(f'{key}.{name}', values, expected)]
        mistakes.add(*problems)
    mistakes.raise_if_any()


def _told(classes: Sequence[str]) -> str:
    return f'{len(classes)}, from {classes[0]!r} on' if classes else 'none'


def _weigh(dataset: Any, weight: float, number: int) -> None:
    """Multiply the weight of all that a source wraps."""
    if isinstance(dataset, RelabeledDataset):
        dataset.weight *= weight
        return
    parts = wrapped(dataset)
    if not parts and weight != 1:
        raise UserError(
            fault(
                f'MixedDataset.weights[{number}]',
                f'{type(dataset).__name__} has no weights; the '
                "config needs runner_type='mmcompose.CompositionRunner', which wraps it",
            )
        )
    for part in parts:
        _weigh(part, weight, number)


@DATA_SAMPLERS.register_module()
class MixedSampler(MultiSourceSampler):
    """Draw each batch from several sources in a fixed ratio, for a stated number of batches.

    MMDet's own never ends, which an epoch-based loop needs, and goes round for ever where a
    source's share of a batch is no whole image. Here the order follows from seed and epoch, so
    that a resumed run goes on as it would have; no image of a source comes twice before all of
    it came once, on all ranks together.

    Args:
        dataset: A :class:`MixedDataset`, or any ``ConcatDataset``.
        batch_size: The data loader's; ``resolve`` writes it here.
        source_ratio: The dataset's; likewise.
        num_batches: How many batches an epoch has. Defaults to as many as the source needs
            that needs most to show each image once; smaller sources come round again.
        shuffle: Whether to shuffle each source. Defaults to True.
        seed: Of the shuffling. Defaults to one that all ranks agree on.

    Raises:
        UserError: If the ratio leaves a source without an image in a batch.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        source_ratio: Sequence[float],
        num_batches: Count | None = None,
        shuffle: bool = True,
        seed: int | None = None,
    ) -> None:
        shares = images_per_source(batch_size, source_ratio)
        super().__init__(dataset, batch_size, list(source_ratio), shuffle, seed)
        self.num_per_source = shares
        self.epoch = 0
        sizes = [len(part) for part in dataset.datasets]
        if not all(sizes):
            raise UserError(fault(f'MixedDataset.datasets[{sizes.index(0)}]', 'has no image'))
        check_length(num_batches)
        self.num_batches = num_batches or max(
            math.ceil(size / (share * self.world_size))
            for size, share in zip(sizes, shares, strict=True)
        )

    def _stream(self, source: int) -> Iterator[int]:
        """Yield this rank's part of an endless order of one source."""
        size = len(self.dataset.datasets[source])

        def endless() -> Iterator[int]:
            # A seed of its own, or two sources of one size would be paired for ever.
            random = np.random.default_rng((self.seed, self.epoch, source))
            while True:
                yield from random.permutation(size).tolist() if self.shuffle else range(size)

        return islice(endless(), self.rank, None, self.world_size)

    def __iter__(self) -> Iterator[int]:
        streams = [self._stream(source) for source in range(len(self.num_per_source))]
        for _ in range(self.num_batches):
            for source, share in enumerate(self.num_per_source):
                first = self.cumulative_sizes[source]
                yield from (first + index for index in islice(streams[source], share))

    def __len__(self) -> int:
        return int(self.num_batches * self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Change the order; MMEngine's loops call this before each epoch."""
        self.epoch = epoch


def images_per_source(batch_size: int, source_ratio: Sequence[float]) -> list[int]:
    """Share a batch among sources, by largest remainder.

    Raises:
        UserError: If a source gets none.
    """
    exact = [batch_size * each / math.fsum(source_ratio) for each in source_ratio]
    # Of 10 images, 0.7 : 0.3 are 7 and 3, and not 7 and 2.9999999999999996.
    shares = [math.floor(each + 1e-9) for each in exact]
    by_remainder = sorted(range(len(exact)), key=lambda source: shares[source] - exact[source])
    for source in by_remainder[: batch_size - sum(shares)]:
        shares[source] += 1
    if 0 in shares:
        raise UserError(
            problem(
                'MixedDataset.source_ratio',
                list(source_ratio),
                f'leaves source {shares.index(0)} without an image in a batch of {batch_size}',
            )
        )
    return shares


def check_length(num_batches: object) -> None:
    """Check how many batches an epoch of a :class:`MixedSampler` is to have.

    Raises:
        UserError: If it is no whole number from 1 on, nor None.
    """
    arguments = {'num_batches': num_batches}
    if problems := check_values(MixedSampler, arguments, MixedSampler.__name__):
        raise UserError(*problems)


def resolve_mixed_loader(loader: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a data loader of a :class:`MixedDataset` needs in its config.

    Args:
        loader: The data loader's config.

    Returns:
        Its dataset without the ratio, its sampler, with that ratio and the loader's batch size,
        and no batch sampler: one that groups by shape would undo the ratio. Nothing where no
        ratio is stated.

    Raises:
        UserError: If the ratio does not fit the batch, or the sampler's length is none.
    """
    dataset = loader['dataset']
    ratio = dataset.get('source_ratio')
    check_sources(len(dataset['datasets']), ratio, dataset.get('weights'))
    if ratio is None:
        return {}
    images_per_source(loader['batch_size'], ratio)
    own = loader.get('sampler') or {}
    kept = own if 'type' in own and class_of(own, DATA_SAMPLERS) is MixedSampler else {}
    check_length(kept.get('num_batches'))
    sampler = {
        **kept,
        'type': 'mmcompose.MixedSampler',
        'batch_size': loader['batch_size'],
        'source_ratio': list(ratio),
    }
    moved = {name: value for name, value in dataset.items() if name != 'source_ratio'}
    return {'dataset': moved, 'sampler': sampler, 'batch_sampler': None}
