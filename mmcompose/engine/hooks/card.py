"""CompositionCardHook: the composition's card, beside the checkpoint."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner, find_latest_checkpoint

from mmcompose.composition import Composition
from mmcompose.datasets import PseudoLabeledDataset, pseudo_labeled
from mmcompose.engine.hooks.student_snapshot import student_steps
from mmcompose.engine.read_composition import pseudo_labeled_configs
from mmcompose.evaluation import CompositionTable, evaluate
from mmcompose.labeling import STUDENT, LabelPipeline
from mmcompose.registry import HOOKS
from mmcompose.reporting import Made, make_card
from mmcompose.reporting.pictures import MOST
from mmcompose.teachers import MMDetTeacher
from mmcompose.utils import Range, UserError, log, warn


@HOOKS.register_module()
class CompositionCardHook(Hook):
    """Write the card after training: ``card.html`` and ``card.md`` in the work directory.

    The teachers' predictions of the pool come from the label store. Of several pools the card
    shows the first, and its title says so. A validation set of few
    pictures is predicted by all teachers for the composition table, which the visualizer's
    backends get as well.

    Args:
        pictures: How many pictures of the pool the card shows, at most 500. Defaults to 200.
        max_scored: The composition table is made where the validation set has at most so many
            pictures; ``mmcompose report`` makes it of any. Defaults to 500.
    """

    # After the last checkpoint is saved.
    priority = 'LOWEST'

    def __init__(
        self,
        pictures: Annotated[int, Range(1, MOST)] = 200,
        max_scored: Annotated[int, Range(0)] = 500,
    ) -> None:
        self.pictures = pictures
        self.max_scored = max_scored

    def check(self, config: Config) -> None:
        """Check that the student can predict on the card's pictures, before a run makes anything.

        Args:
            config: The run's, resolved.

        Raises:
            UserError: If it learns from pseudo-labels and the config has no test pipeline.
        """
        num_pools = len(pseudo_labeled_configs(config))
        if num_pools:
            student_steps(config, 'the card needs one for the student; card=None writes no card')
        if num_pools > 1:
            warn(f'the card shows the first of {num_pools} pools; a config of each has its own')

    def after_train(self, runner: Runner) -> None:
        """Write the card; a mistake that it meets is logged, for the student is trained."""
        datasets = list(pseudo_labeled(runner.train_dataloader.dataset))
        if not datasets:
            return
        dataset, num_pools = datasets[0], len({each.images.fingerprint for each in datasets})
        try:
            # All processes of a launcher's group meet there.
            pipeline = dataset.composition.fitted_pipeline(dataset.images)
            if not is_main_process():
                return
            page = self._write(runner, dataset, num_pools, pipeline)
        except UserError as error:
            warn(f'no card was written: {error}')
        else:
            log(f'card: {page}')

    def _write(
        self,
        runner: Runner,
        dataset: PseudoLabeledDataset,
        num_pools: int,
        pipeline: LabelPipeline,
    ) -> Path:
        composition, images = dataset.composition, dataset.images
        checkpoint = find_latest_checkpoint(runner.work_dir)
        student = None
        if checkpoint is not None:
            student = MMDetTeacher(config=runner.cfg, checkpoint=checkpoint)
        table = self._table(runner, composition, pipeline, student)
        made = Made.of(runner.cfg, composition, pipeline, [shlex.join(sys.argv)])
        if num_pools > 1:
            made.title += f', the first of {num_pools} pools'
        return make_card(
            Path(runner.work_dir),
            made,
            composition,
            images,
            dataset.labels,
            table,
            student,
            self.pictures,
        )

    def _table(
        self,
        runner: Runner,
        composition: Composition,
        pipeline: LabelPipeline,
        student: MMDetTeacher | None,
    ) -> CompositionTable | None:
        if runner.cfg.get('val_dataloader') is None:
            return None
        truth = runner.val_dataloader.dataset
        if len(truth) > self.max_scored:
            log(
                f'the card has no composition table: {len(truth)} validation pictures are more '
                f'than max_scored={self.max_scored}; mmcompose report makes it'
            )
            return None
        models = {} if student is None else {STUDENT: student}
        table = evaluate(composition, truth, models, pipeline=pipeline)
        scalars = {
            f'composition/{row.name}/{name}': value
            for row in table.rows
            for name, value in (('mAP', row.scores.mAP), ('AP50', row.scores.AP50))
        }
        runner.visualizer.add_scalars(scalars, step=runner.iter)
        return table
