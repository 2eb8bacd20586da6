"""AverageTeachersHook: a student of its teachers' architecture begins with their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import Tensor, nn

from mmcompose.class_space import ClassSpace
from mmcompose.composition import preserve_process_state
from mmcompose.engine.average_weights import Member, average_weights
from mmcompose.engine.class_layers import class_layers, is_loaded_twice, of_student, rows_by_class
from mmcompose.engine.unwrapped import unwrapped
from mmcompose.registry import HOOKS, TEACHERS, build
from mmcompose.teachers import MMDetTeacher
from mmcompose.utils import UserError, log, problem


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
        self._class_space = dict(class_space)
        self._teachers = {name: dict(config) for name, config in teachers.items()}

    def check(self, config: Config) -> None:
        """See :class:`mmcompose.checks.checks_config.ChecksConfig`.

        Raises:
            UserError: If ``load_from`` states another beginning, or a teacher is of another
                type or architecture or did not begin as the others did.
        """
        if config.get('load_from') is not None:
            expected = 'and AverageTeachersHook both state what the student begins with; '
            expected += 'set load_from=None, or leave the hook out'
            raise UserError(problem('load_from', config.load_from, expected))
        with preserve_process_state(), DefaultScope.overwrite_default_scope('mmdet'):
            student = MODELS.build(config.model)
        self._average(config.model, student)

    def before_train(self, runner: Runner) -> None:
        """Load the average into the student, which has not learned anything yet."""
        if runner.iter > 0:
            return
        student = unwrapped(runner.model)
        student.load_state_dict(self._average(runner.cfg.model, student), strict=False)
        names = ', '.join(self._teachers)
        log(f'the student begins with the average of the weights of {names}')

    def _average(self, config: Mapping[str, Any], student: nn.Module) -> dict[str, Tensor]:
        opened = {name: self._open(name) for name in self._teachers}
        space = self._space({name: teacher.classes for name, teacher in opened.items()})
        own = student.state_dict()
        layers = class_layers(config, own, len(space.classes))
        members = [
            Member(
                name,
                teacher.detector().state_dict(),
                rows_by_class(space, name),
                len(teacher.classes),
            )
            for name, teacher in opened.items()
        ]
        # MMDet's semi-supervised detectors load a detector's weights as student and as teacher.
        if is_loaded_twice(student, members[0].weights):
            own, layers = of_student(own), of_student(layers)
        return average_weights(own, layers, len(space.classes), members)

    def _open(self, name: str) -> MMDetTeacher:
        key = f'teachers.{name}'
        teacher: Any = build(TEACHERS, self._teachers[name], key)
        if not isinstance(teacher, MMDetTeacher):
            expected = 'has no weights that a student could begin with; name the MMDetTeachers'
            raise UserError(problem(f'{key}.type', type(teacher).__name__, expected))
        return teacher

    def _space(self, classes: Mapping[str, tuple[str, ...]]) -> ClassSpace:
        mapping = self._class_space.get('mapping') or {}
        known = {name: each for name, each in mapping.items() if name in classes}
        changed = {'mapping': known, 'on_unmapped': 'drop'}
        return ClassSpace(classes, **{**self._class_space, **changed})
