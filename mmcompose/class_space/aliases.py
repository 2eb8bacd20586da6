"""Names that mean one class: shipped tables, and groups made of tables and a user's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mmcompose.class_space.alias_tables import ALIAS_TABLES, AliasTable
from mmcompose.utils import UserError, problem

KEY = 'composition.class_space.aliases'


class AliasGroups:
    """Which names mean one class.

    Args:
        tables: Names of shipped tables, or mappings from a name to its synonyms. Tables may
            overlap: groups that share a name become one.
        key: Where they stand in the config, for messages. Defaults to a composition's.

    Raises:
        UserError: If a table is unknown, or a synonym is listed under two names that nothing
            else ties together.
    """

    def __init__(self, tables: Iterable[str | AliasTable] = (), key: str = KEY) -> None:
        pairs = [pair for table in tables for pair in _pairs(table, key)]
        names_of: dict[str, list[str]] = defaultdict(list)
        for name, synonym in pairs:
            names_of[synonym].append(name)
        for synonym, names in names_of.items():
            _check_one_class(key, synonym, names, pairs)
        self._group_of = _connected(pairs)

    def group(self, name: str) -> tuple[str, ...]:
        """Return every name that means the same class, ``name`` itself included."""
        return self._group_of.get(name, (name,))


def _pairs(table: str | AliasTable, key: str) -> list[tuple[str, str]]:
    if isinstance(table, str):
        if table not in ALIAS_TABLES:
            known = ', '.join(ALIAS_TABLES)
            raise UserError(
                problem(key, table, f'is not a shipped table (expected: {known})', ALIAS_TABLES)
            )
        table = ALIAS_TABLES[table]
    if not isinstance(table, Mapping):
        raise UserError(problem(key, table, 'is neither the name of a table nor a dict'))
    for name, synonyms in table.items():
        if isinstance(synonyms, str):
            raise UserError(problem(f'{key}.{name}', synonyms, 'is not a list of names'))
    return [(name, synonym) for name, synonyms in table.items() for synonym in synonyms]


def _connected(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    for name, synonym in pairs:
        merged = dict.fromkeys((*groups.get(name, (name,)), *groups.get(synonym, (synonym,))))
        for member in merged:
            groups[member] = tuple(merged)
    return groups


def _check_one_class(
    key: str, synonym: str, names: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> None:
    first, *rest = dict.fromkeys(names)
    if not rest:
        return
    others = _connected(pair for pair in pairs if synonym not in pair)
    for name in rest:
        if name not in others.get(first, (first,)):
            raise UserError(problem(key, synonym, f'points at two classes, {first!r} and {name!r}'))


def shipped_ties(names: Sequence[str], others: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the pairs of names that a shipped table takes for one class.

    Args:
        names: Class names.
        others: More of them.

    Returns:
        ``(name, other, table)`` for each pair, the first table that ties it.
    """
    ties: dict[tuple[str, str], str] = {}
    wanted = dict.fromkeys(others)
    for table in ALIAS_TABLES:
        groups = AliasGroups([table])
        for name in names:
            for other in groups.group(name):
                if other != name and other in wanted and (other, name) not in ties:
                    ties.setdefault((name, other), table)
    return [(name, other, table) for (name, other), table in ties.items()]
