"""LabelSummaryHook: say what the student is about to learn from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmcompose.datasets import PseudoLabeledDataset
from mmcompose.registry import HOOKS
from mmcompose.utils import log, warn


@HOOKS.register_module()
class LabelSummaryHook(Hook):
    """Log how many boxes of each class are kept and ignored; warn of classes that have none."""

    def before_train(self, runner: Runner) -> None:
        """Count the training set's pseudo-labels."""
        for dataset in pseudo_labeled(runner.train_dataloader.dataset):
            log(summary(dataset))
            classes = dataset.metainfo['classes']
            empty = [
                name for name, row in zip(classes, dataset.count_boxes(), strict=True) if not row[0]
            ]
            if empty:
                warn(f'no pseudo-label is kept of: {", ".join(empty)}')


def summary(dataset: PseudoLabeledDataset) -> str:
    """Return a table of kept and ignored boxes by class, as text."""
    counts = dataset.count_boxes()
    lines = [
        f'pseudo-labels of {len(dataset)} images: {counts[:, 0].sum()} boxes kept, '
        f'{counts[:, 1].sum()} ignored'
    ]
    lines += [
        f'  {name:<20} {kept:>8} kept {ignored:>8} ignored'
        for name, (kept, ignored) in zip(dataset.metainfo['classes'], counts, strict=True)
    ]
    return '\n'.join(lines)


def pseudo_labeled(dataset: Any) -> Iterator[PseudoLabeledDataset]:
    """Yield the pseudo-labelled datasets in a dataset and all that it wraps."""
    if isinstance(dataset, PseudoLabeledDataset):
        yield dataset
        return
    for part in (getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())):
        if part is not None:
            yield from pseudo_labeled(part)
