"""Names that differ in spelling alone: case, spaces, hyphens, underscores, plural, Unicode form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_SEPARATORS = re.compile(r'[\s_\-\u2010-\u2015]+')
# Of plurals, and what stands there in the singular.
_ENDS = (('s', ''), ('es', ''), ('ies', 'y'))
# Short words end in s by chance.
_SHORTEST = 3


def spelling(name: str) -> str:
    """Return what is left of a name without case, spaces, hyphens and underscores."""
    return _SEPARATORS.sub('', unicodedata.normalize('NFKC', name).casefold())


def spelled_like(name: str) -> tuple[str, ...]:
    """Return the :func:`spelling` of a name, of its plurals, and of what it may be a plural of."""
    plain = spelling(name)
    singulars = [plain[: -len(end)] + rest for end, rest in _ENDS if plain.endswith(end)]
    return (plain, *_plurals(plain), *(each for each in singulars if plain in _plurals(each)))


def same_but_for_spelling(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of different names that are spelled alike: 'Person', 'persons'.

    Args:
        names: In the order in which they are to be reported; the earlier one stands first.
    """
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(spelling(name), []).append(name)
    for plain in list(groups):
        for plural in _plurals(plain):
            if plural in groups and plain in groups:
                groups[plain] += groups.pop(plural)
    order = {name: number for number, name in enumerate(dict.fromkeys(names))}
    ordered = (sorted(group, key=order.__getitem__) for group in groups.values())
    return [(first, other) for first, *others in ordered for other in others]


def _plurals(plain: str) -> tuple[str, ...]:
    if len(plain) < _SHORTEST or not plain.isalpha():
        return ()
    return (f'{plain}s', f'{plain}es', *([f'{plain[:-1]}ies'] if plain.endswith('y') else []))
