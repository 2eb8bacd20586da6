"""PseudoLabelRefreshHook: the student votes too, and labels are fused anew, in rounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmcompose.composition import STUDENT, Composition
from mmcompose.datasets import PseudoLabeledDataset, pseudo_labeled
from mmcompose.engine.hooks.student_snapshot import check_student, save_student, student_teacher
from mmcompose.labeling import LabelChange, label_change
from mmcompose.registry import HOOKS, type_name
from mmcompose.utils import Count, Fraction, Positive, UserError, fault, log, problem

# Where the state stands in MMEngine's message hub, which checkpoints carry.
STATE = 'pseudo_label_rounds'
FOLDER = 'pseudo_label_rounds'


@HOOKS.register_module()
class PseudoLabelRefreshHook(Hook):
    """Every few epochs let the student join its teachers, and fuse the labels anew.

    A round begins before an epoch: the student as it is then (the average of its weights where
    an ``EMAHook`` keeps one) is saved in the work directory, predicts as one more teacher named
    ``student``, and the label pipeline runs again on all predictions. The teachers' predictions
    come from the label store. A student of an earlier round does not vote in a later one.

    A checkpoint carries the round that its weights were trained in: a run that resumes finds the
    labels of that round by their fingerprint, or makes the same ones again. The gain of a round
    sees where its student was scored since the run began or resumed.

    Args:
        interval: A round every so many epochs (or iterations).
        by_epoch: False counts iterations. Then each worker of the data loader still delivers
            the few batches that it made ahead with the old labels. Defaults to True.
        weight: How much the student's vote counts beside the teachers'. Defaults to 1.
        stop_below: No more rounds after one that changed less than this fraction of boxes; 0
            never stops. Defaults to 0.02.
        max_rounds: No more rounds than this. Defaults to no limit.
        iou_thr: A box is unchanged where the round before had one of its class and band that
            overlaps it this much. Defaults to 0.5.

    Raises:
        UserError: At the start of training, if the training set holds no pseudo-labels.
    """

    # Before LabelSummaryHook, which counts the labels of the round that a run resumes in, and
    # compares them with the checkpoint's.
    priority = 'HIGH'

    def __init__(
        self,
        interval: Count,
        by_epoch: bool = True,
        weight: Positive = 1.0,
        stop_below: Fraction = 0.02,
        max_rounds: Count | None = None,
        iou_thr: Fraction = 0.5,
    ) -> None:
        self.interval = interval
        self.by_epoch = by_epoch
        self.weight = weight
        self.stop_below = stop_below
        self.max_rounds = max_rounds
        self.iou_thr = iou_thr
        self._datasets: list[PseudoLabeledDataset] = []
        self._metrics: dict[str, float] = {}

    def check(self, config: Config) -> None:
        """Check that there can be rounds, before a run makes or writes anything.

        Args:
            config: The run's, resolved.

        Raises:
            UserError: If the training has no epochs to count, holds no pseudo-labels, or its
                student cannot join the teachers.
        """
        if config.get('train_dataloader') is None:
            return
        loop = config.get('train_cfg') or {}
        kind = type_name(loop) if 'type' in loop else ''
        by_iteration = kind == 'IterBasedTrainLoop' or not loop.get('by_epoch', True)
        if self.by_epoch and by_iteration:
            expected = 'makes no round in a train_cfg that counts iterations'
            raise UserError(problem('by_epoch', True, expected))
        check_student(config, self.weight)

    def before_train(self, runner: Runner) -> None:
        """Check that there can be rounds, and go on with the one that a run resumes in."""
        self._datasets = list(pseudo_labeled(runner.train_dataloader.dataset))
        if not self._datasets:
            raise UserError(
                fault(
                    'custom_hooks.PseudoLabelRefreshHook',
                    'the training set holds no '
                    'mmcompose.PseudoLabeledDataset whose labels could be made anew',
                )
            )
        state = runner.message_hub.get_info(STATE)
        if state is None:
            state = {'round': 0, 'stopped': False, 'record': None, 'rounds': []}
            self._keep(runner, state)
            return
        for dataset in self._datasets if state['round'] else ():
            composition = self._joined(dataset, runner, state['round'], state['record'])
            dataset.use_labels(composition.labels(dataset.images))
        log(f'resumed in round {state["round"]} of pseudo-labels')

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin a round where one is due."""
        # A run that resumes from the middle of an epoch begins the epoch anew, and not its round.
        begun = any(each['epoch'] == runner.epoch for each in self._state(runner)['rounds'])
        if self.by_epoch and runner.epoch and runner.epoch % self.interval == 0 and not begun:
            self._begin_round(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Begin a round where one is due."""
        if not self.by_epoch and runner.iter and runner.iter % self.interval == 0:
            self._begin_round(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Remember how good the student of this round is."""
        means = {name: each for name, each in (metrics or {}).items() if name.endswith('mAP')}
        self._metrics = {name: float(each) for name, each in means.items()}

    def after_train(self, runner: Runner) -> None:
        """Tell the last round's gain."""
        state = self._state(runner)
        if gain := self._gain(state):
            log(f'after round {state["round"]} of pseudo-labels: {gain}')

    def _begin_round(self, runner: Runner) -> None:
        state = self._state(runner)
        number = state['round'] + 1
        if state['stopped'] or (self.max_rounds is not None and number > self.max_rounds):
            return
        if is_main_process():
            save_student(runner, Path(runner.work_dir) / FOLDER, number)
        # The others read it, and it is there in a moment.
        barrier()
        pairs = []
        for dataset in self._datasets:
            composition = self._joined(dataset, runner, number)
            images = dataset.images
            before, after = dataset.labels, composition.labels(images)
            pairs += [(before, after, row) for row in range(len(images))]
            dataset.use_labels(after)
        change = label_change(((old[row], new[row]) for old, new, row in pairs), self.iou_thr)
        gain = self._gain(state)
        new_state = {
            'round': number,
            'stopped': change.changed < self.stop_below,
            'record': composition.teacher_records[STUDENT],
            'rounds': [
                *state['rounds'],
                {
                    'epoch': runner.epoch,
                    'iter': runner.iter,
                    'changed': change.changed,
                    # Of the student that learned from the labels before; none if not scored.
                    'metrics': self._metrics,
                },
            ],
        }
        self._tell(runner, new_state, change, gain)
        self._keep(runner, new_state)
        self._metrics = {}

    def _tell(
        self, runner: Runner, state: Mapping[str, Any], change: LabelChange, gain: str
    ) -> None:
        kept, ignored = change.kept, change.ignored
        line = (
            f'round {state["round"]} of pseudo-labels: {kept[1]} boxes kept '
            f'({kept[1] - kept[0]:+}), {ignored[1]} ignored ({ignored[1] - ignored[0]:+}), '
            f'{change.changed:.1%} changed'
        )
        log(f'{line}; before it {gain}' if gain else line)
        if state['stopped']:
            log(f'fewer than {self.stop_below:.1%} changed: no more rounds')
        scalars = {'round': state['round'], 'changed': change.changed}
        scalars |= {'kept': kept[1], 'ignored': ignored[1]}
        runner.visualizer.add_scalars(
            {f'pseudo_labels/{name}': value for name, value in scalars.items()}, step=runner.iter
        )

    def _gain(self, state: Mapping[str, Any]) -> str:
        """Log how good this round's student is, if it was scored, and how much better than the
        last one that was scored in a round before.
        """
        scored = [each['metrics'] for each in state['rounds'] if each['metrics']]
        last = scored[-1] if scored else {}
        return ', '.join(
            f'{name} {value:.3f}' + (f' ({value - last[name]:+.3f})' if name in last else '')
            for name, value in self._metrics.items()
        )

    def _joined(
        self,
        dataset: PseudoLabeledDataset,
        runner: Runner,
        number: int,
        record: Mapping[str, Any] | None = None,
    ) -> Composition:
        teacher = student_teacher(Path(runner.work_dir) / FOLDER, number, self.weight)
        return dataset.composition.with_teacher(STUDENT, teacher, record)

    def _state(self, runner: Runner) -> dict[str, Any]:
        state: dict[str, Any] = runner.message_hub.get_info(STATE)
        return state

    def _keep(self, runner: Runner, state: dict[str, Any]) -> None:
        runner.message_hub.update_info(STATE, state)
