"""A class space as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from mmcompose.class_space import Overview
from mmcompose.evaluation.outside_names import shown
from mmcompose.labeling import CoOccurrence
from mmcompose.labeling.compute.co_occurrence import SAME_OBJECT_IOU


def class_space_table(seen: Overview) -> Table:
    """Return a row for each student class: how many owners, and what each of them calls it."""
    table = Table(title='Class space', title_justify='left')
    for column in ('student class', 'owners', *seen.teachers):
        table.add_column(shown(column), justify='right' if column == 'owners' else 'left')
    for name, names in seen.rows:
        by_teacher = [shown(', '.join(names.get(teacher, []))) for teacher in seen.teachers]
        table.add_row(shown(name), str(len(names)), *by_teacher)
    for name, names in seen.coarse:
        by_teacher = [shown(', '.join(names.get(teacher, []))) for teacher in seen.teachers]
        label = shown(f'({name}: only supports finer classes)')
        table.add_row(label, str(len(names)), *by_teacher)
    return table


def co_occurrence_table(pairs: Sequence[CoOccurrence]) -> Table:
    """Return a row for each pair of classes whose boxes lie on one another."""
    title = f'Two names on the same objects (IoU > {SAME_OBJECT_IOU})'
    table = Table(title=title, title_justify='left')
    for column in ('one teacher predicts', 'another', 'times', 'of the rarer', 'told apart by'):
        table.add_column(column, justify='right' if column in ('times', 'of the rarer') else 'left')
    # First those that no teacher distinguishes: an alias or a mapping is missing there.
    for pair in sorted(pairs, key=lambda pair: bool(pair.told_apart_by)):
        apart = shown(', '.join(pair.told_apart_by) or 'nobody: one class?')
        pairs_of = (shown(pair.first), shown(pair.second))
        table.add_row(*pairs_of, str(pair.count), f'{pair.share:.0%}', apart)
    return table
