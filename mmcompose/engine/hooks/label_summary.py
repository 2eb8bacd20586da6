"""LabelSummaryHook: log what the student is about to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from numpy.typing import NDArray

from mmcompose.datasets import PseudoLabeledDataset, pseudo_labeled
from mmcompose.registry import HOOKS
from mmcompose.utils import allowing, doubt, fault, log, warn

# Where a checkpoint's ``meta`` names the labels that its weights learned from.
META_KEY = 'pseudo_labels'


@HOOKS.register_module()
class LabelSummaryHook(Hook):
    """Log how many boxes of each class are kept and ignored; warn of classes that have none.

    The visualizer's backends get the numbers as well. Each checkpoint names the labels that it
    learned from, for ``mmcompose report`` and for a run that resumes.

    Raises:
        UserError: At the start of training, if a run resumes with other labels than its checkpoint
            learned from; it may be allowed.
    """

    def __init__(self) -> None:
        self._learned_from: list[dict[str, str]] = []

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Remember which labels its weights learned from."""
        self._learned_from = checkpoint.get('meta', {}).get(META_KEY, [])

    def before_train(self, runner: Runner) -> None:
        """Count the training set's pseudo-labels, and compare those of a run that resumes."""
        datasets = list(pseudo_labeled(runner.train_dataloader.dataset))
        # Weights that are loaded to begin with may have learned from anything.
        if runner.iter and self._learned_from and datasets:
            _check_resumed([each['learned'] for each in self._learned_from], datasets)
        if not is_main_process():
            return
        for dataset in datasets:
            counts = dataset.count_boxes()
            log(summary(dataset, counts))
            classes = dataset.metainfo['classes']
            scalars = {
                f'labels/{name}/{what}': int(count)
                for name, row in zip(classes, counts, strict=True)
                for what, count in zip(('kept', 'ignored'), row, strict=True)
            }
            runner.visualizer.add_scalars(scalars, step=runner.iter)
            empty = [name for name, row in zip(classes, counts, strict=True) if not row[0]]
            if empty:
                warn(f'no pseudo-label is kept of: {", ".join(empty)}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Let it tell which labels the composition made, and which the student learns from now."""
        found = [
            {'made': each.made_fingerprint, 'learned': each.labels_fingerprint}
            for each in pseudo_labeled(runner.train_dataloader.dataset)
        ]
        checkpoint['meta'][META_KEY] = found


def _check_resumed(learned: Sequence[str], datasets: Sequence[PseudoLabeledDataset]) -> None:
    made = [each.labels_fingerprint for each in datasets]
    if made == learned:
        return
    expected = (
        f'the checkpoint was trained on labels {", ".join(learned)}, but teachers, pipeline and '
        f'images now make {", ".join(made)}; resume with the config that made them'
    )
    with allowing(datasets[0].composition.resolved['allow']):
        doubt('resumed-labels', fault('resume', expected))


def summary(dataset: PseudoLabeledDataset, counts: NDArray[np.int64] | None = None) -> str:
    """Return a table of kept and ignored boxes by class, as text.

    Args:
        dataset: What is counted.
        counts: What :meth:`PseudoLabeledDataset.count_boxes` gave, where that is known.
    """
    counts = dataset.count_boxes() if counts is None else counts
    lines = [
        f'pseudo-labels of {len(dataset)} images: {counts[:, 0].sum()} boxes kept, '
        f'{counts[:, 1].sum()} ignored'
    ]
    lines += [
        f'  {name:<20} {kept:>8} kept {ignored:>8} ignored'
        for name, (kept, ignored) in zip(dataset.metainfo['classes'], counts, strict=True)
    ]
    return '\n'.join(lines)
