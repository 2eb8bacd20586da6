"""The composition table as text."""

from __future__ import annotations

import math

from rich.table import Table

from mmcompose.evaluation.evaluate import CompositionTable, Row
from mmcompose.evaluation.outside_names import shown


def table_cells(table: CompositionTable) -> tuple[list[str], list[list[str]]]:
    """Return the composition table as text: its head, and a row for each detector.

    AP over all classes and over each group of them; masks' where a detector gives some. Names are
    as they were given.
    """
    groups = {f'{name} ({len(names)})': names for name, names in table.groups.items()}
    masks = ['mask mAP', 'mask AP50'] if table.has_masks else []
    rows = []
    for row in table.rows:
        scores = row.scores
        of_masks = [scores.mask_mAP, scores.mask_AP50] if masks else []
        means = map(scores.mean_over, groups.values())
        figures = map(_figure, (scores.mAP, scores.AP50, *of_masks, *means))
        rows.append([row.label, *figures, _millions(row), f'{row.milliseconds:.0f}'])
    return ['', 'mAP', 'AP50', *masks, *groups, 'parameters', 'ms/image'], rows


def composition_table(table: CompositionTable) -> Table:
    """Return the composition table for a terminal; see :func:`table_cells`."""
    rendered = Table(title='Composition', title_justify='left')
    head, rows = table_cells(table)
    for column in head:
        rendered.add_column(shown(column), justify='right' if column else 'left')
    for name, *cells in rows:
        rendered.add_row(shown(name), *cells)
    return rendered


def per_class_table(table: CompositionTable) -> Table:
    """Return a row for each class: AP of each detector."""
    rendered = Table(title='AP by class', title_justify='left')
    rendered.add_column('class')
    rendered.add_column('known to')
    for row in table.rows:
        rendered.add_column(shown(row.label), justify='right')
    for group, names in table.groups.items():
        for name in names:
            figures = [_figure(row.scores.by_class[name]) for row in table.rows]
            rendered.add_row(shown(name), shown(group), *figures)
    return rendered


def _figure(value: float) -> str:
    return '-' if math.isnan(value) else f'{value:.3f}'


def _millions(row: Row) -> str:
    return '-' if row.num_parameters is None else f'{row.num_parameters / 1e6:.2f} M'
