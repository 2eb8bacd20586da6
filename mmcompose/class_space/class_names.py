"""The one way in for class names: index → name, of lists, dicts and what checkpoints hold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from mmcompose.class_space.spelling import spelled_like, spelling
from mmcompose.utils import Name, UserError, doubt, fault, problem

# Names in the order of a model's labels, or by label number.
GivenNames: TypeAlias = Sequence[Name] | Mapping[Any, Name]

# As they are spelled: stand-ins at the unused ids of 91-id COCO detectors, what is at their id 0,
# last in others, or at DETR's end. Beside them what labelme writes, and where nobody named a class
# of a Hugging Face model. No class of anything.
PLACEHOLDERS = frozenset({'', 'n/a', 'background', 'noobject'})
_IGNORED = '__ignore__'
_NUMBERED = re.compile(r'LABEL_\d+')
# More are no list of classes: a key is wrong.
_MOST = 100_000


def is_placeholder(name: str) -> bool:
    """Return whether a name stands for no class."""
    plain = name.strip()
    return spelling(plain) in PLACEHOLDERS or plain == _IGNORED or bool(_NUMBERED.fullmatch(plain))


def class_names(given: GivenNames, key: str) -> tuple[str, ...]:
    """Return class names by label number.

    Args:
        given: A list of names; or a dict by label number, where numbers that are missing have no
            class: their name is empty.
        key: The argument that holds them, for messages.

    Raises:
        UserError: If there are none, one but a placeholder is given twice, or a dict's key is no
            label number, or one that another key is too.
    """
    if isinstance(given, str):
        raise UserError(problem(key, given, 'is not a list of class names'))
    names = _listed(given, key) if isinstance(given, Mapping) else tuple(map(_text, given))
    if not names:
        raise UserError(fault(key, 'is empty'))
    times = Counter(name for name in names if not is_placeholder(name))
    if not times:
        raise UserError(problem(key, list(names[:3]), 'are placeholders; give class names'))
    if twice := sorted(name for name, count in times.items() if count > 1):
        raise UserError(fault(key, f'{", ".join(map(repr, twice))} listed twice'))
    return names


def stored_names(meta: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """Return the class names that MMDetection (2.x or 3.x) wrote into a checkpoint.

    Args:
        meta: The checkpoint's ``meta``. Its ``dataset_meta`` may be a dict, or a list of one for
            each part of a training set: those then have to agree.

    Returns:
        The names, as they are; None if there are none, or parts disagree.
    """
    meta = meta or {}
    parts = meta.get('dataset_meta')
    if not isinstance(parts, (Mapping, list, tuple)) or not parts:
        parts = {}
    if isinstance(parts, Mapping):
        return _of_part(parts) or _of_part(meta)
    if all(isinstance(part, str) for part in parts):
        return tuple(parts)
    found = {_of_part(part) if isinstance(part, Mapping) else None for part in parts}
    return found.pop() if len(found) == 1 else None


def check_order(given: Sequence[str], stored: Sequence[str], key: str, where: str) -> None:
    """Check names that somebody gave against those that a model's file holds.

    Other names in their place are translations, such as 'Katze' for 'cat'.

    Args:
        given: By label number.
        stored: Likewise.
        key: The argument that holds ``given``, for messages.
        where: What holds ``stored``.

    Raises:
        UserError: If there is another number of them; if one has another's place, which may be
            allowed.
    """
    if len(given) != len(stored):
        raise UserError(
            fault(
                key,
                f'{len(given)} names are given, but {where} was trained on {len(stored)} classes',
            )
        )
    places = {spelling(name): n for n, name in enumerate(stored) if not is_placeholder(name)}
    for number, name in enumerate(given):
        found = [places[plain] for plain in spelled_like(name) if plain in places]
        if found and number not in found:
            expected = (
                f'{name!r} is given as class number {number}, but in {where} it is number '
                f'{found[0]} and number {number} is {stored[number]!r}: keep its order'
            )
            doubt('class-order', fault(key, expected))
            # The others' places follow from it.
            return


def _of_part(meta: Mapping[str, Any]) -> tuple[str, ...] | None:
    by_lower = {str(name).lower(): value for name, value in meta.items()}
    classes = by_lower.get('classes')
    if classes is None:
        return None
    if isinstance(classes, str):
        # MMDet configs with classes=('cat') mean one class, not three letters.
        return (classes,)
    if isinstance(classes, Mapping):
        return _listed(classes, 'classes')
    return tuple(map(_text, classes)) or None if isinstance(classes, Iterable) else None


def _listed(names: Mapping[Any, Any], key: str) -> tuple[str, ...]:
    by_number = {}
    for number, name in names.items():
        if not re.fullmatch(r'\d+', str(number)) or int(number) >= _MOST:
            raise UserError(problem(key, number, 'is no label number, from 0 on'))
        if int(number) in by_number:
            raise UserError(problem(key, number, 'is a label number that another key is too'))
        by_number[int(number)] = _text(name)
    return tuple(by_number.get(number, '') for number in range(max(by_number, default=-1) + 1))


def _text(name: Any) -> str:
    return '' if name is None else str(name)
