"""The composition table as text."""

from __future__ import annotations

import math

from rich.table import Table

from mmcompose.evaluation.evaluate import CompositionTable, Row
from mmcompose.evaluation.outside_names import shown


def composition_table(table: CompositionTable) -> Table:
    """Return a row for each detector: AP over all classes and over each group of them."""
    rendered = Table(title='Composition', title_justify='left')
    groups = {name: f'{name} ({len(names)})' for name, names in table.groups.items()}
    masks = ('mask mAP', 'mask AP50') if table.has_masks else ()
    for column in ('', 'mAP', 'AP50', *masks, *groups.values(), 'parameters', 'ms/image'):
        rendered.add_column(shown(column), justify='right' if column else 'left')
    for row in table.rows:
        means = [_figure(row.scores.mean_over(table.groups[group])) for group in groups]
        if table.has_masks:
            means = [_figure(row.scores.mask_mAP), _figure(row.scores.mask_AP50), *means]
        rendered.add_row(
            shown(row.name),
            _figure(row.scores.mAP),
            _figure(row.scores.AP50),
            *means,
            _millions(row),
            f'{row.milliseconds:.0f}',
        )
    return rendered


def per_class_table(table: CompositionTable) -> Table:
    """Return a row for each class: AP of each detector."""
    rendered = Table(title='AP by class', title_justify='left')
    rendered.add_column('class')
    rendered.add_column('known to')
    for row in table.rows:
        rendered.add_column(shown(row.name), justify='right')
    for group, names in table.groups.items():
        for name in names:
            figures = [_figure(row.scores.by_class[name]) for row in table.rows]
            rendered.add_row(shown(name), shown(group), *figures)
    return rendered


def _figure(value: float) -> str:
    return '-' if math.isnan(value) else f'{value:.3f}'


def _millions(row: Row) -> str:
    return '-' if row.num_parameters is None else f'{row.num_parameters / 1e6:.2f} M'
