"""AverageTeachersHook: a student of its teachers' architecture begins with their weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmcompose.class_space import ClassSpace
from mmcompose.composition import preserve_process_state
from mmcompose.engine.average_weights import Member, average_weights
from mmcompose.engine.class_layers import class_layers, is_loaded_twice, of_student, rows_by_class
from mmcompose.engine.unwrapped import unwrapped
from mmcompose.registry import HOOKS, TEACHERS, build
from mmcompose.teachers import MMDetTeacher
from mmcompose.utils import UserError, fault, key_prefix, log, problem


@HOOKS.register_module()
class AverageTeachersHook(Hook):
    """Begin with the average of the teachers' weights, each class's rows from its owners.

    For a student of the architecture of its teachers, all of which were fine-tuned from the same
    weights, as most are: see :func:`mmcompose.engine.average_weights.average_weights`. A run that
    resumes goes on with the weights that it has.

    Args:
        class_space: The composition's; ``resolve`` writes it here.
        teachers: Config of an MMDetTeacher, by name, for those to average. Defaults to all of the
            composition, which ``resolve`` writes here.
    """

    def __init__(
        self, class_space: Mapping[str, Any], teachers: Mapping[str, Mapping[str, Any]]
    ) -> None:
        if not teachers:
            raise UserError(problem('teachers', {}, 'names no teacher'))
        self._space = ClassSpace({}, class_space['classes'], class_space.get('aliases', ()))
        self._mapping = class_space.get('mapping') or {}
        self._teachers = {name: dict(config) for name, config in teachers.items()}

    def check(self, config: Config) -> None:
        """See :class:`mmcompose.checks.checks_config.ChecksConfig`.

        Raises:
            UserError: If a teacher is of another type or architecture, knows no class of the
                student, or did not begin as the others did.
        """
        # A test, or a run that resumes; or one that `before_train` refuses.
        if config.get('load_from') is not None:
            return
        with preserve_process_state():
            student = MODELS.build(copy.deepcopy(config.model))
        self._average(config.model, student, self._members())

    def before_train(self, runner: Runner) -> None:
        """Load the average into the student, which has not learned anything yet.

        Raises:
            UserError: If ``load_from`` states another beginning.
        """
        if runner.iter > 0:
            return
        if runner._load_from is not None and not runner._resume:
            expected = 'and AverageTeachersHook both state what the student begins with; '
            expected += 'set load_from=None, or leave the hook out'
            raise UserError(problem('load_from', runner._load_from, expected))
        student, members = unwrapped(runner.model), self._members()
        average = self._average(runner.cfg.model, student, members)
        student.load_state_dict(average, strict=False)
        names = ', '.join(self._teachers)
        known = {index for member in members for index in member.rows}
        log(
            f'the student begins with the average of the weights of {names}; '
            f'{len(known)} of {len(self._space.classes)} classes have the rows of their owners'
        )

    def _average(
        self, config: Mapping[str, Any], student: nn.Module, members: Sequence[Member]
    ) -> dict[str, Tensor]:
        own = student.state_dict()
        num_classes = len(self._space.classes)
        layers = class_layers(config, own, num_classes)
        # MMDet's semi-supervised detectors load a detector's weights as student and as teacher.
        if is_loaded_twice(student, members[0].weights):
            own, layers = of_student(own), of_student(layers)
        return average_weights(own, layers, num_classes, members)

    def _members(self) -> list[Member]:
        with preserve_process_state():
            return [self._member(name) for name in self._teachers]

    def _member(self, name: str) -> Member:
        key = f'teachers.{name}'
        teacher: Any = build(TEACHERS, self._teachers[name], key)
        if not isinstance(teacher, MMDetTeacher):
            expected = 'has no weights that a student could begin with; name the MMDetTeachers'
            raise UserError(problem(f'{key}.type', type(teacher).__name__, expected))
        rows = rows_by_class(self._space, teacher.classes, self._mapping.get(name))
        if not rows:
            raise UserError(fault(key, 'knows no class of the student'))
        with key_prefix(key):
            weights = teacher.detector().state_dict()
        return Member(name, weights, rows, len(teacher.classes))
