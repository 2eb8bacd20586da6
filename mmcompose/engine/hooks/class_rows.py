"""ClassRowsHook: a student that starts from a detector of other classes keeps what they share."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmcompose.class_space import ClassSpace
from mmcompose.engine.class_layers import (
    class_layers,
    copy_rows,
    is_loaded_twice,
    of_student,
    rows_by_class,
)
from mmcompose.engine.unwrapped import unwrapped, unwrapped_config
from mmcompose.registry import HOOKS
from mmcompose.teachers import checkpoint_classes, named_classes
from mmcompose.utils import UserError, examples, fault, first_difference, log, problem, warn

_UNNAMED = (
    'does not name its classes; set them by '
    "custom_hooks=[dict(type='mmcompose.ClassRowsHook', checkpoint_classes=…)]"
)
_AFRESH = 'has lost the rows of its classes, which start afresh (ClassRowsHook.keep=False)'


@HOOKS.register_module()
class ClassRowsHook(Hook):
    """Copy the rows of classification layers by class name when a checkpoint is loaded.

    MMEngine drops a layer whose shape differs, and takes one of the same shape as it is, though
    its classes may stand in another order. What was trained on other classes can be trained, but
    not tested.

    Args:
        classes: The student's classes; ``resolve`` writes them here.
        aliases: The composition's; likewise.
        checkpoint_classes: Class names of a checkpoint that names none, or a data set's name that
            MMDet knows. Defaults to none.
        keep: False starts every classification layer afresh where a training begins, also from a
            checkpoint of the student's own classes. Defaults to True.
    """

    # Before EMAHook (49), which takes its own copy of what is loaded.
    priority = 'VERY_HIGH'

    def __init__(
        self,
        classes: Sequence[str],
        aliases: Sequence[Any] = (),
        checkpoint_classes: str | Sequence[str] | None = None,
        keep: bool = True,
    ) -> None:
        self.classes = tuple(classes)
        self.aliases = aliases
        self.checkpoint_classes = checkpoint_classes
        self.keep = keep
        # Why the loaded weights cannot be tested until the student has learned its own classes.
        self._untrained: str | None = None
        # The checkpoint's own names, where others are set.
        self._preferred: tuple[str, ...] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Rewrite the checkpoint's classification layers for the student's classes.

        Raises:
            UserError: If a run resumes from a checkpoint of other classes, the checkpoint does not
                name its classes, or its weights do not fit.
        """
        if 'state_dict' not in checkpoint:
            # MMEngine loads weights alone, too, but its EMAHook looks for them here. By copy, as
            # dict would not, layers know of which version their weights are.
            checkpoint['state_dict'] = copy.copy(checkpoint)
        weights = checkpoint['state_dict']
        self._untrained = self._preferred = None
        named = checkpoint_classes(checkpoint)
        if runner._resume and named is not None:
            self._check_resumed(named)
            return
        old = self._names(named)
        if old == self.classes and (self.keep or not _begins_training(runner)):
            return
        own = unwrapped(runner.model).state_dict()
        layers = class_layers(unwrapped_config(runner.cfg.model), own, len(self.classes))
        if layers and old not in (None, self.classes):
            self._untrained = self._told(old)
        if is_loaded_twice(runner.model, weights):
            own, layers = of_student(own), of_student(layers)
        present = [name for name in layers if name in weights]
        if not present and any(f'module.{name}' in weights for name in layers):
            raise UserError(
                fault(
                    'load_from',
                    'its weights were saved from inside DistributedDataParallel; '
                    "take 'module.' off their names, or their classes cannot be matched",
                )
            )
        if not present:
            return
        if not self.keep:
            if self._untrained is None:
                self._untrained = _UNNAMED if old is None else _AFRESH
            for name in present:
                del weights[name]
            log(f'{len(present)} class-dependent weights start afresh (ClassRowsHook.keep=False)')
            return
        if old is None:
            raise UserError(fault('load_from', f'the checkpoint {_UNNAMED}'))
        sources = rows_by_class(ClassSpace({}, self.classes, self.aliases), old)
        counts = len(self.classes), len(old)
        for name in present:
            weights[name] = copy_rows(own[name], weights[name], sources, counts, layers[name])
        log(f'{len(sources)} of {len(self.classes)} classes keep their rows')

    def _names(self, named: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Return a checkpoint's classes: those that it names itself, or else those that are set."""
        if self.checkpoint_classes is None:
            return named
        given = named_classes(self.checkpoint_classes)
        if named is None:
            return given
        self._preferred = named if named != given else None
        return named

    def _check_resumed(self, old: tuple[str, ...]) -> None:
        """Refuse other classes: the optimizer's state and averaged weights cannot be converted."""
        if old != self.classes:
            expected = 'start from it by load_from, without resume'
            raise UserError(fault('resume', f'the checkpoint {self._told(old)}; {expected}'))

    def _told(self, old: tuple[str, ...]) -> str:
        before, now = first_difference(old, self.classes)
        return f'was trained on other classes ({before}) than the config has ({now})'

    def before_train(self, runner: Runner) -> None:
        """From here on the student learns its own classes."""
        self._untrained = None
        if self._preferred is not None:
            expected = f'is passed over: the checkpoint names {examples(self._preferred)} itself'
            key = 'ClassRowsHook.checkpoint_classes'
            warn(str(problem(key, self.checkpoint_classes, expected)))

    def before_val(self, runner: Runner) -> None:
        """Refuse what :meth:`before_test` refuses."""
        self.before_test(runner)

    def before_test(self, runner: Runner) -> None:
        """Refuse to test what was trained on other classes: rows that it lacks are random.

        Raises:
            UserError: If the loaded checkpoint was, or if its rows were taken away and it does
                not name its classes.
        """
        if self._untrained is not None:
            raise UserError(problem('checkpoint', runner.cfg.get('load_from'), self._untrained))


def _begins_training(runner: Runner) -> bool:
    """Return whether a run loads what its training begins with, and not what it tests."""
    if runner._resume:
        return False
    # It is a loop's config until `train` builds the loop, and then loads weights.
    return isinstance(runner._train_loop, BaseLoop) and runner.iter == 0
