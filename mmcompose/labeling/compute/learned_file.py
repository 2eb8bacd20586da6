"""Files of learned values: JSON that a tool wrote and a config names."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import FUSED, STUDENT
from mmcompose.registry import Registry
from mmcompose.utils import (
    Problem,
    UserError,
    check_types,
    examples,
    fault,
    problem,
    write_json,
)

_AGAIN = 'is it of another composition? Run mmcompose calibrate again'


def write_learned(path: str | Path, transform: str, learned: Mapping[str, Any]) -> None:
    """Write what a transform learned.

    Args:
        path: The file; its folder is made.
        transform: The name of the class that learned it.
        learned: Its ``learned``.
    """
    write_json('learned_file', path, {'transform': transform, 'learned': dict(learned)})


def read_learned(
    path: str | Path, transform: str, hints: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what :func:`write_learned` wrote.

    Args:
        path: The file.
        transform: The name of the class that learned it.
        hints: The types of what it learned, by name. Defaults to any.

    Raises:
        UserError: If there is no file, it cannot be read, or another transform learned it; if
            something is of another type, or is missing.
    """
    key = 'learned_file'
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        expected = 'is no file; mmcompose calibrate CONFIG --ann FEW.json writes it'
        raise UserError(problem(key, str(path), expected)) from error
    except (OSError, ValueError) as error:
        raise UserError(problem(key, str(path), f'cannot be read: {error}')) from error
    if not isinstance(content, dict) or not isinstance(content.get('learned'), dict):
        raise UserError(problem(key, str(path), 'holds nothing that a label transform learned'))
    if content.get('transform') != transform:
        raise UserError(
            problem(key, str(path), f'was learned by {content.get("transform")}, not {transform}')
        )
    learned, hints = dict(content['learned']), hints or {}
    check_content(path, check_types('', learned, hints))
    absent = [name for name in hints if learned and not learned.get(name)]
    if absent:
        raise UserError(problem(key, str(path), f'holds no {" and no ".join(absent)}'))
    return learned


def check_content(path: str | Path, problems: Sequence[Problem]) -> None:
    """Raise what is wrong with the content of a file.

    Args:
        path: The file.
        problems: What is wrong; keys are places in the file.

    Raises:
        UserError: With a line for each, if there is any.
    """
    if problems:
        raise UserError(*(problem('learned_file', str(path), f'has {each}') for each in problems))


def check_method(path: str | Path, method: str, learns: bool, registry: Registry) -> None:
    """Check that a method takes what a file holds, and does not learn anew of the pool.

    Args:
        path: The file.
        method: The method that is to use it.
        learns: Whether it learns from labeled images.
        registry: Where it is registered.

    Raises:
        UserError: If it does not.
    """
    if not learns:
        learning = [n for n, cls in registry.module_dict.items() if cls.right_iou_thr is not None]
        expected = (
            f'holds what {", ".join(learning)} learn of labeled images; method={method!r} learns '
            'of the pool'
        )
        raise UserError(problem('learned_file', str(path), expected))


def check_entries(learned: Collection[str], detections: Collection[str]) -> None:
    """Check that something was learned of all who predict, or they would stay as they are.

    Args:
        learned: The teachers of whom something was learned, or 'fused'; nothing, nothing yet.
        detections: Who predicts here.

    Raises:
        UserError: If the step stands on the other side of the fusion than when it learned.
    """
    unknown = [name for name in detections if name not in learned and name != STUDENT]
    if learned and unknown:
        expected = 'predicts here, but not where this was learned; run mmcompose calibrate again'
        raise UserError(problem('learned_file', unknown[0], expected, learned))


def check_teachers(learned: Collection[str], class_space: ClassSpace) -> None:
    """Check that what a file holds, if anything, was learned of the teachers at hand.

    Args:
        learned: The teachers of whom something was learned, or 'fused'.
        class_space: Names the teachers at hand. A student that joined them since then learned
            from labels that went through this step, and is not needed.

    Raises:
        UserError: With a line for each that is there without the other.
    """
    if not learned or FUSED in learned:
        return
    teachers = class_space.teachers
    problems = [
        problem('learned_file', name, f'is in it, and is not a teacher; {_AGAIN}', teachers)
        for name in learned
        if name not in teachers
    ]
    problems += [
        fault('learned_file', f'holds nothing of teacher {name!r}; {_AGAIN}')
        for name in teachers
        if name not in learned and name != STUDENT
    ]
    if problems:
        raise UserError(*problems)


def check_classes(learned: Mapping[str, Mapping[str, float]], class_space: ClassSpace) -> None:
    """Check that what a file holds by teacher and class, if anything, is of all classes at hand.

    Args:
        learned: By teacher, or 'fused', a value of each class.
        class_space: Names the classes at hand.

    Raises:
        UserError: With a line for each teacher of which something is missing.
    """
    problems = []
    for entry, by_name in learned.items():
        known = set(class_space.index(list(by_name)).tolist())
        missing = [repr(n) for label, n in enumerate(class_space.classes) if label not in known]
        if missing:
            expected = f'holds nothing of {examples(missing)} for {entry}'
            problems.append(fault('learned_file', f'{expected}; {_AGAIN}'))
    if problems:
        raise UserError(*problems)
