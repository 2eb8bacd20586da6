"""The card's two files: a page for people, and markdown for a model hub."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmcompose.composition import PSEUDO_LABELS
from mmcompose.evaluation import KINDS, CompositionTable, table_cells
from mmcompose.labeling import STUDENT
from mmcompose.reporting.facts import Facts
from mmcompose.reporting.figures import (
    COLORS,
    plot_agreement,
    plot_labels_per_class,
    plot_per_class,
    plot_scores,
    to_svg,
)
from mmcompose.reporting.made import Made
from mmcompose.reporting.pictures import Shown
from mmcompose.reporting.truth_figures import plot_calibration, plot_errors
from mmcompose.utils import atomic_write

CARD_FILES = ('card.html', 'card.md')
# What begins a link, a code or a column of a table.
_MARKUP = '|[]`*'


def write_card(
    folder: Path,
    made: Made,
    facts: Facts,
    pictures: Sequence[Shown],
    table: CompositionTable | None = None,
) -> Path:
    """Write ``card.html``, one page that needs no network, and ``card.md``.

    Args:
        folder: Where to.
        made: How the composition was made.
        facts: What is in its labels.
        pictures: What to show.
        table: The composition table, where there is truth to score on. Defaults to none.

    Returns:
        The page's path.
    """
    environment = Environment(
        loader=PackageLoader('mmcompose.reporting'),
        autoescape=lambda name: name is not None and name.endswith('.html'),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters['in_markdown'] = _in_markdown
    environment.filters['counted'] = _counted
    plots = {
        'Labels by class': plot_labels_per_class(facts),
        'Scores': plot_scores(facts),
        **({'AP by class': plot_per_class(table)} if table is not None else {}),
        **({'Agreement': plot_agreement(facts)} if len(facts.teachers) > 1 else {}),
    }
    errors = _errors(facts, table)
    if table is not None and table.diagnoses:
        plots['Calibration'] = plot_calibration(table)
    if errors:
        # Last: the page has the same as a table below.
        plots['Where it goes wrong'] = plot_errors(errors)
    values = {
        'made': made,
        'facts': facts,
        'table': None if table is None else _plain(table),
        'kinds': KINDS,
        'errors': errors,
        'plots': {name: Markup(to_svg(figure)) for name, figure in plots.items()},
        'data': _script(facts, pictures),
        'num_pictures': len(pictures),
    }
    for name in CARD_FILES:
        text = environment.get_template(name).render(values)
        with atomic_write('', folder / name) as path:
            path.write_text(text, encoding='utf-8')
    return folder / 'card.html'


def _in_markdown(name: object) -> str:
    """Return a name as text of a markdown page: no tag, no column, no line of its own."""
    plain = escape(' '.join(str(name).split()), quote=False)
    return ''.join(f'\\{each}' if each in _MARKUP else each for each in plain)


def _counted(count: int, one: str, many: str | None = None) -> str:
    """Return a count and what is counted, e.g. ``1 class`` or ``1,203 classes``."""
    return f'{count:,} {one if count == 1 else many or f"{one}s"}'


def _plain(table: CompositionTable) -> dict[str, Any]:
    """Return the table as text, a row a detector, and what the student spares."""
    head, rows = table_cells(table)
    if STUDENT in [row.name for row in table.rows]:
        # Beside a name, size and time.
        rows.append(_in_place_of(table, ['-'] * (len(head) - 3)))
    return {'head': head, 'rows': rows}


def _in_place_of(table: CompositionTable, no_figures: list[str]) -> list[str]:
    """Return the row of what the student spares: its size and time beside all teachers' sums."""
    teachers = table.rows[: table.num_teachers]
    student = next(row for row in table.rows if row.name == STUDENT)
    together = sum(row.milliseconds for row in teachers)
    sizes = [row.num_parameters for row in (*teachers, student)]
    known = [size / 1e6 for size in sizes if size is not None]
    size = f'{known[-1]:.2f} of {sum(known[:-1]):.2f} M' if len(known) == len(sizes) else '-'
    time = f'{student.milliseconds:.0f} of {together:.0f}'
    return [f'one model in place of {len(teachers)}', *no_figures, size, time]


def _errors(facts: Facts, table: CompositionTable | None) -> dict[str, Mapping[str, int]]:
    """Return counts of each kind of error, by what is held against what."""
    errors = {}
    if facts.student_errors is not None:
        errors['student, against the labels'] = facts.student_errors
    diagnoses, labels = ({}, {}) if table is None else (table.diagnoses, table.labels)
    order = [PSEUDO_LABELS, *(name for name in diagnoses if name != PSEUDO_LABELS)]
    shown = [name for name in order if name in diagnoses]
    against = {name: f'{labels.get(name, name)}, against the truth' for name in shown}
    return errors | {against[name]: diagnoses[name].errors for name in shown}


def _script(facts: Facts, pictures: Sequence[Shown]) -> Markup:
    """Return the page's data as JSON that cannot end its script element."""
    sources = list(dict.fromkeys(name for shown in pictures for name in shown.sources))
    content = {
        'classes': list(facts.classes),
        'sources': sources,
        'colors': list(COLORS),
        'pictures': [shown.to_dict(facts.classes) for shown in pictures],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(',', ':'))
    return Markup(text.replace('<', '\\u003c').replace('&', '\\u0026'))
