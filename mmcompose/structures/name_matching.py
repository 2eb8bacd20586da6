"""Which of the listed entries belongs to which picture: one to one, over the whole pool."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from mmcompose.utils import UserError, nearest, problem

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Matching:
    """An account of entries (of a json, of a folder of texts) and the pictures of a pool.

    Args:
        entry_of: By a picture's key its entry, each entry at most once.
        without_entry: Keys of pictures that no entry names.
        without_picture: Entries that name no picture of the pool.
    """

    entry_of: dict[str, str]
    without_entry: tuple[str, ...]
    without_picture: tuple[str, ...]


def match_names(entries: Iterable[str], keys: Sequence[str], by_stem: bool = False) -> Matching:
    """Match file names with the keys of a pool's pictures.

    An entry names a picture if their paths are the same, or one is the end of the other:
    ``1.jpg`` and ``/data/train/1.jpg`` may name ``train/1.jpg``, ``val/1.jpg`` does not. The
    same path goes before a longer common end, and that before a shorter one.

    Args:
        entries: File names, relative or absolute, in any system's form.
        keys: Of the pictures.
        by_stem: Whether entries are named as pictures but for the suffix. Defaults to False.

    Raises:
        UserError: If an entry is listed twice, or may name two pictures, or a picture may be
            named by two entries.
    """
    entry_parts = _distinct(entries, by_stem=False)
    key_parts = {key: _parts(key, by_stem) for key in keys}
    by_parts = {parts: entry for entry, parts in entry_parts.items()}
    same = {key: by_parts[parts] for key, parts in key_parts.items() if parts in by_parts}
    taken = set(same.values())
    by_last: dict[str, list[str]] = defaultdict(list)
    for entry, parts in entry_parts.items():
        if entry not in taken:
            by_last[parts[-1]].append(entry)
    entry_of = dict(same)
    for key, parts in key_parts.items():
        if key not in same:
            candidates = by_last.get(parts[-1], ())
            best = _longest({each: entry_parts[each] for each in candidates}, parts)
            if len(best) > 1:
                raise UserError(problem('images', key, f'may be {best[0]!r} or {best[1]!r}'))
            entry_of |= {key: entry for entry in best}
    _check_one_to_one(entry_of)
    named = set(entry_of.values())
    return Matching(
        entry_of,
        tuple(key for key in keys if key not in entry_of),
        tuple(entry for entry in entry_parts if entry not in named),
    )


def names_agree(first: str, second: str) -> bool:
    """Return whether two file names may be of one file, suffixes aside."""
    # What stands behind a dot may be a suffix, or the end of a name that is given without one.
    ones, others = ({_parts(name), _parts(name, by_stem=True)} for name in (first, second))
    return any(_is_end(one, other) for one in ones for other in others)


def nearest_name(key: str, entries: Iterable[str]) -> str:
    """Return a hint at the entry that is spelled most like a key, or an empty string."""
    near = nearest(PurePosixPath(key).name, (PurePosixPath(entry).name for entry in entries))
    return f'; did you mean {near!r}?' if near else ''


def _distinct(entries: Iterable[str], by_stem: bool) -> dict[str, Parts]:
    found: dict[str, Parts] = {}
    seen: dict[Parts, str] = {}
    for entry in entries:
        parts = _parts(entry, by_stem)
        if parts in seen:
            raise UserError(
                problem('images', seen[parts], f'and {entry!r} are one name, listed twice')
            )
        found[entry] = parts
        seen[parts] = entry
    return found


def _parts(name: str, by_stem: bool = False) -> Parts:
    # A file system may keep letters and their accents apart (macOS), another may not.
    path = PurePosixPath(unicodedata.normalize('NFC', name).replace('\\', '/'))
    if by_stem:
        path = path.with_name(path.stem) if path.stem else path
    parts = tuple(part for part in path.parts if part != '..')
    return parts or ('',)


def _longest(candidates: dict[str, Parts], parts: Parts) -> list[str]:
    """Return the candidates that share the longest end with a path."""
    lengths = {
        entry: min(len(each), len(parts))
        for entry, each in candidates.items()
        if _is_end(each, parts)
    }
    longest = max(lengths.values(), default=0)
    return [entry for entry, length in lengths.items() if length == longest]


def _is_end(first: Parts, second: Parts) -> bool:
    length = min(len(first), len(second))
    return first[-length:] == second[-length:]


def _check_one_to_one(entry_of: dict[str, str]) -> None:
    key_of: dict[str, str] = {}
    for key, entry in entry_of.items():
        if entry in key_of:
            raise UserError(
                problem(
                    'images',
                    entry,
                    f'may be {key_of[entry]!r} or {key!r} of the pool; an entry '
                    'belongs to one picture, so name its folder',
                )
            )
        key_of[entry] = key
