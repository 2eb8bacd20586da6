"""The card's two files: a page for people, and markdown for a model hub."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmcompose.evaluation import CompositionTable
from mmcompose.reporting.facts import Facts
from mmcompose.reporting.figures import (
    COLOURS,
    plot_agreement,
    plot_labels_per_class,
    plot_per_class,
    plot_scores,
    to_svg,
)
from mmcompose.reporting.pictures import Shown
from mmcompose.utils import atomic_write


@dataclass
class Made:
    """How a composition was made.

    Args:
        title: Of the card.
        config: The config's text.
        learned: What the label pipeline learned, in lines.
        teachers: By name the type, and a fingerprint of all that decides what it predicts.
        versions: Of packages, by name.
        commands: What made it, in order.
    """

    title: str
    config: str
    learned: Sequence[str] = ()
    teachers: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[str] = ()


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
    plots = {
        'Labels by class': plot_labels_per_class(facts),
        'Scores': plot_scores(facts),
        **({'AP by class': plot_per_class(table)} if table is not None else {}),
        **({'Agreement': plot_agreement(facts)} if len(facts.teachers) > 1 else {}),
    }
    values = {
        'made': made,
        'facts': facts,
        'table': None if table is None else _plain(table),
        'plots': {name: Markup(to_svg(figure)) for name, figure in plots.items()},
        'data': _script(facts, pictures),
        'num_pictures': len(pictures),
    }
    for name in ('card.html', 'card.md'):
        text = environment.get_template(name).render(values)
        with atomic_write('--out', folder / name) as path:
            path.write_text(text, encoding='utf-8')
    return folder / 'card.html'


def _plain(table: CompositionTable) -> dict[str, Any]:
    """Return the table as text, a row a detector."""
    groups = {f'{name} ({len(names)})': names for name, names in table.groups.items()}
    rows = []
    for row in table.rows:
        size = '-' if row.num_parameters is None else f'{row.num_parameters / 1e6:.2f} M'
        figures = [row.scores.mAP, row.scores.AP50, *map(row.scores.mean_over, groups.values())]
        told = ['-' if isnan(figure) else f'{figure:.3f}' for figure in figures]
        rows.append([row.name, *told, size, f'{row.milliseconds:.0f}'])
    return {'head': ['', 'mAP', 'AP50', *groups, 'parameters', 'ms/image'], 'rows': rows}


def _script(facts: Facts, pictures: Sequence[Shown]) -> Markup:
    """Return the page's data as JSON that cannot end its script element."""
    sources = list(dict.fromkeys(name for shown in pictures for name in shown.sources))
    content = {
        'classes': list(facts.classes),
        'sources': sources,
        'colours': list(COLOURS),
        'pictures': [shown.to_dict(facts.classes) for shown in pictures],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(',', ':'))
    return Markup(text.replace('<', '\\u003c').replace('&', '\\u0026'))
