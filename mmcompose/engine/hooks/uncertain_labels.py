"""UncertainLabelsHook: a label's weight, an ignore box and a class mask reach the loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmdet.datasets import MultiImageMixDataset
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmcompose.datasets import RelabeledDataset, pseudo_labeled, wrapped
from mmcompose.engine.unwrapped import unwrapped
from mmcompose.models.weighted_targets import Attachment, Settings, attach, is_uncertain
from mmcompose.registry import HOOKS
from mmcompose.utils import Fraction, UserError, fault, warn


@HOOKS.register_module()
class UncertainLabelsHook(Hook):
    """Let the student learn from labels only as far as they are to be trusted.

    ``resolve`` adds it. It listens to the built model's own heads while it trains: the model's
    class, config and checkpoint stay MMDet's. See ``docs/uncertain_labels.md``.

    Args:
        soft_targets: Learn a box of score s as its class with s and as background with 1 - s.
            Defaults to False.
        uncovered_objectness: In an image whose labels cover only some classes, how much priors
            without a box count where all classes share one output: objectness, the background
            of a softmax. Defaults to 0: not at all.
    """

    def __init__(self, soft_targets: bool = False, uncovered_objectness: Fraction = 0.0) -> None:
        self.settings = Settings(soft_targets, uncovered_objectness)
        self._attached: Attachment | None = None
        self._to_tell: list[str] = []

    def before_train(self, runner: Runner) -> None:
        """Attach to the model.

        Raises:
            UserError: If images whose labels cover different classes are mixed into one.
        """
        _check_mixes(runner.train_dataloader.dataset)
        model = unwrapped(runner.model)
        self._attached = attach(model, self.settings)
        self._to_tell = list(self._attached.unreached)
        for line in self._attached.not_soft:
            warn(f'{line}: its targets stay hard in spite of UncertainLabelsHook.soft_targets')

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None
    ) -> None:
        """Say, at the first batch where it matters, what does not reach the loss."""
        if self._to_tell and any(_uncertain(each, self.settings) for each in _samples(data_batch)):
            for line in self._to_tell:
                warn(f"{line}: labels' weights, ignore boxes and class masks have no effect")
            self._to_tell = []

    def after_train(self, runner: Runner) -> None:
        """Leave the model as it was."""
        if self._attached is not None:
            self._attached.remove()
            self._attached = None


def _check_mixes(dataset: Any) -> None:
    mixer = _mixer(dataset)
    if mixer is not None and len(set(_coverages(dataset))) > 1:
        why = next(_within_pools(dataset), '; let each source mix its own, within a MixedDataset')
        expected = f'a {type(mixer).__name__} mixes images whose labels cover different classes '
        raise UserError(fault('train_dataloader.dataset', f'{expected}into one{why}'))
    for part in wrapped(dataset):
        _check_mixes(part)


def _within_pools(dataset: Any) -> Iterator[str]:
    """Yield why the pictures of one pool differ, and what helps, where teachers are the cause."""
    for pool in pseudo_labeled(dataset):
        counts = pool.count_missing()
        if len(counts) > 1:
            first = pool.metainfo['classes'][min(frozenset().union(*counts))]
            number = counts.total() - counts[frozenset()]
            yield (
                f': no owner of some class, e.g. of {first!r}, predicted on {number} of '
                f"{counts.total()} pictures; set the teacher's on_unmatched to 'no_boxes' if it "
                "found nothing there, or to 'error' to learn which are not listed, leave them out "
                'of the pool, or take a pipeline that mixes no pictures'
            )


def _mixer(dataset: Any) -> Any:
    """Return what mixes several images of a dataset into one; None where nothing does."""
    if isinstance(dataset, MultiImageMixDataset):
        return dataset
    steps = _steps(getattr(dataset, 'pipeline', None))
    # MMDetection's CachedMosaic and CachedMixUp mix with images that they have seen before.
    return next((step for step in steps if hasattr(step, 'results_cache')), None)


def _steps(transforms: Any) -> Iterator[Any]:
    """Yield the transforms of a pipeline, and those that other transforms hold."""
    for step in getattr(transforms, 'transforms', None) or ():
        yield step
        yield from _steps(step)


def _coverages(dataset: Any) -> Iterator[tuple[int, ...] | None]:
    """Yield which classes are labeled in each source below a dataset; None for all."""
    parts = [] if isinstance(dataset, RelabeledDataset) else wrapped(dataset)
    if not parts:
        yield from getattr(dataset, 'coverages', [getattr(dataset, 'covered_classes', None)])
    for part in parts:
        yield from _coverages(part)


def _samples(value: Any) -> Iterator[Any]:
    """Yield the data samples of a batch, whatever form it has."""
    if isinstance(value, dict):
        value = value.get('data_samples')
    if isinstance(value, dict):
        value = [each for branch in value.values() for each in branch]
    for sample in value or ():
        if sample is not None and 'gt_instances' in sample:
            yield sample


def _uncertain(sample: Any, settings: Settings) -> bool:
    ignored = sample.get('ignored_instances')
    covered = sample.metainfo.get('covered_classes')
    return is_uncertain(sample.gt_instances, ignored, covered, settings)
