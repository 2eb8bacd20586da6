"""The teachers of a config's ``composition``: their names, weights, and what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmcompose.composition.process_state import preserve_process_state
from mmcompose.labeling import FUSED, STUDENT
from mmcompose.registry import TEACHERS, build
from mmcompose.teachers import Teacher, teacher_identity
from mmcompose.utils import Positive, UserError, allowing, check_types, fault, key_prefix, problem

# A student of true labels, the student's ONNX file, and what the student learns from.
ORACLE, EXPORTED_STUDENT, PSEUDO_LABELS = 'oracle', 'student as ONNX', 'pseudo-labels'
RESERVED_NAMES = (STUDENT, FUSED, ORACLE, EXPORTED_STUDENT, PSEUDO_LABELS)


def check_teachers(teachers: Mapping[str, Any], is_resolved: bool = False) -> None:
    """Check the names of teachers, and that each has a config dict.

    Args:
        teachers: Their config dicts, by name.
        is_resolved: Whether they were read before: the student joins only those.

    Raises:
        UserError: With a line for each mistake.
    """
    key = 'composition.teachers'
    if not isinstance(teachers, Mapping) or not teachers:
        raise UserError(fault(key, 'names no teacher; give dict(name=dict(type=...), ...)'))
    problems = [
        problem(key, name, 'is taken: a table or a plot has a row of that name; choose another')
        for name in teachers
        # The student joins a resolved one; see Composition.with_teacher.
        if name in RESERVED_NAMES and not (is_resolved and name == STUDENT)
    ]
    problems += [
        problem(f'{key}.{name}', config, 'is no dict of a teacher')
        for name, config in teachers.items()
        if not isinstance(config, Mapping)
    ]
    if problems:
        raise UserError(*problems)


def pop_weight(name: str, config: dict[str, Any]) -> float:
    """Take ``weight`` out of a teacher's config dict, and return it.

    Raises:
        UserError: If it is no number above 0.
    """
    weight = config.pop('weight', 1.0)
    key = f'composition.teachers.{name}'
    if problems := check_types(key, {'weight': weight}, {'weight': Positive}):
        raise UserError(*problems)
    return float(weight)


def without_weight(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the teacher's own arguments of its config dict."""
    return {key: value for key, value in config.items() if key != 'weight'}


def open_teacher(name: str, config: Mapping[str, Any], allow: Sequence[str] = ()) -> Teacher:
    """Return a teacher; no weights are loaded before it predicts.

    Args:
        name: Its name.
        config: Its config dict.
        allow: See :attr:`mmcompose.teachers.Teacher.allow`.

    Raises:
        UserError: If it cannot be built, or is no teacher.
    """
    key = f'composition.teachers.{name}'
    own = without_weight(config)
    with preserve_process_state(), allowing(allow):
        teacher: Any = build(TEACHERS, own, key)
    # Whose predictions are checked, that is; see :mod:`mmcompose.teachers.boundary`.
    if not isinstance(teacher, Teacher):
        expected = 'is no teacher: derive it from mmcompose.teachers.Teacher'
        raise UserError(problem(f'{key}.type', type(teacher).__name__, expected))
    teacher.allow = tuple(allow)
    return teacher


def teacher_record(name: str, config: Mapping[str, Any], teacher: Teacher) -> dict[str, Any]:
    """Return a teacher's name, classes and identity, as plain values."""
    own = without_weight(config)
    with key_prefix(f'composition.teachers.{name}'):
        identity = teacher_identity(own, teacher)
    return {'name': name, 'classes': list(teacher.classes), 'identity': identity}
