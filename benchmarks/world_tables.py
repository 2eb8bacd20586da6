"""The tables and bars of `worlds.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from common import Bar
from rich.table import Table
from world_data import WORLDS

# What the default may lack to the best rival, and what it has to be ahead where nothing is shared.
BEHIND, AHEAD = -0.01, 0.03
ASTRAY, LESS_RECALL, USELESS = 0.05, 0.03, 0.01
GENERALISTS = ('two generalists', 'two generalists, 416 px')

Rows = Mapping[str, Mapping[str, Any]]


def best_rival(rows: Rows) -> str:
    """Return the name of the rival with the best macro F1."""
    return max((name for name in rows if name != 'default'), key=lambda name: rows[name]['f1'])


def bars(worlds: Mapping[str, Any]) -> dict[str, Bar]:
    """Return what the default has to reach in the worlds that were measured."""
    made: dict[str, Bar] = {}
    for name, world in worlds.items():
        for variant, rows in world['variants'].items():
            title = f'{name}, {variant}' if variant else name
            ours, best = rows['default'], rows[best_rival(rows)]
            ahead = not variant and (WORLDS[name].share_nothing or name in GENERALISTS)
            lead = ours['f1'] - best['f1']
            made[f'{title}: F1 above the best rival'] = Bar(lead, AHEAD if ahead else BEHIND)
            if variant == 'useless':
                added = ours['wrong of each teacher'][WORLDS[name].useless]
                made[f'{title}: wrong boxes of it'] = Bar(added, USELESS, at_most=True)
            if not variant and WORLDS[name].share_nothing:
                astray = ours['wrong in pictures without']
                made[f'{title}: wrong boxes astray'] = Bar(astray, ASTRAY, at_most=True)
                loss = best['recall'] - ours['recall']
                made[f'{title}: recall lost'] = Bar(loss, LESS_RECALL, at_most=True)
    return made


def tables(worlds: Mapping[str, Any]) -> Iterator[Table]:
    """Yield what is printed: the teachers, each world's rows, and all worlds in one table."""
    teachers = Table('world', 'AP of each teacher on its own classes')
    for name, world in worlds.items():
        parts = [f'{teacher} {value:.3f}' for teacher, value in world['teachers'].items()]
        teachers.add_row(name, ', '.join(parts))
    yield teachers
    for name, world in worlds.items():
        yield _world_table(name, world)
    yield summary(worlds)


def _world_table(name: str, world: Mapping[str, Any]) -> Table:
    columns = ('P', 'R', 'F1', 'own F1', 'others F1', 'astray', 'mAP', 'ECE', 'boxes', 'ms')
    table = Table(name, *columns)
    for variant, rows in world['variants'].items():
        for method, row in rows.items():
            figures = [row[key] for key in ('precision', 'recall', 'f1')]
            figures += [row['own']['f1'], row['others']['f1'], row['wrong in pictures without']]
            figures += [row['mAP'], row['calibration_error']]
            ms = f'{1000 * row["seconds an image"]:.2f}' if 'seconds an image' in row else ''
            title = f'{method}, {variant}' if variant else method
            values = ['-' if value is None else f'{value:.3f}' for value in figures]
            table.add_row(title, *values, f'{row["boxes_per_image"]:.2f}', ms)
        table.add_section()
    return table


def summary(worlds: Mapping[str, Any]) -> Table:
    """Return one row a world: the default's F1, the best rival's and its name."""
    table = Table('world', 'default', 'best rival', '', 'spoiled', 'rival', 'useless', 'rival')
    for name, world in worlds.items():
        cells: list[str] = []
        for variant, rows in world['variants'].items():
            best = best_rival(rows)
            cells += [f'{rows["default"]["f1"]:.3f}', f'{rows[best]["f1"]:.3f}']
            cells += [] if variant else [best]
        table.add_row(name, *cells)
    return table
