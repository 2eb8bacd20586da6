"""The plots of a card, as matplotlib figures."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure

from mmcompose.evaluation import CompositionTable
from mmcompose.labeling import FUSED
from mmcompose.reporting.facts import BINS, Facts

# Okabe and Ito's, which color-blind people distinguish too.
COLORS = ('#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#f0e442')
# In the SVG it becomes the page's own color of text, light or dark.
_INK = '#010203'
# Bars of more classes than this would be lines.
_MOST_CLASSES = 40
# Of a class name below its bar.
_MOST_LETTERS = 24
# Both sides together, in inches.
_AROUND_LEGEND = 0.2


def plot_per_class(table: CompositionTable) -> Figure:
    """Return bars of AP by class: teachers, fused labels, student, oracle."""
    names = list(table.rows[0].scores.by_class)
    values = {row.label: [row.scores.by_class[name] for name in names] for row in table.rows}
    return _bars(names, values, 'AP')


def plot_labels_per_class(facts: Facts) -> Figure:
    """Return bars of how many labels each class has: kept and ignored."""
    values = {'teach': facts.kept.tolist(), 'are ignored': facts.ignored.tolist()}
    return _bars(list(facts.classes), values, 'boxes')


def plot_scores(facts: Facts) -> Figure:
    """Return histograms of scores, a line a teacher and one for the fused labels."""
    with style():
        figure = Figure(layout='constrained')
        axes = figure.add_subplot()
        edges = np.linspace(0, 1, BINS + 1)
        handles = []
        for number, (name, counts) in enumerate(facts.histograms.items()):
            total = max(counts.sum(), 1)
            line: dict[str, Any] = {'linewidth': 2.5} if name == FUSED else {}
            color = COLORS[number % len(COLORS)]
            handles.append(axes.stairs(counts / total, edges, label=name, color=color, **line))
        axes.set(xlabel='score', ylabel='share of boxes', xlim=(0, 1))
        axes.set_ylim(bottom=0)
        lay_out(figure, axes, 6.3, 2.3, handles)
        return figure


def plot_agreement(facts: Facts) -> Figure:
    """Return a matrix: of a row's boxes, the share that a column confirms."""
    with style():
        count = len(facts.teachers)
        figure = Figure(layout='constrained')
        axes = figure.add_subplot()
        axes.imshow(facts.agreement, vmin=0, vmax=1, cmap='Blues', aspect='auto')
        for row, values in enumerate(facts.agreement.tolist()):
            for column, value in enumerate(values):
                text = '-' if np.isnan(value) else f'{value:.2f}'
                ink = 'white' if value > 0.6 else 'black'
                color = _INK if np.isnan(value) else ink
                axes.text(column, row, text, ha='center', va='center', color=color)
        axes.set_xticks(range(count), facts.teachers, rotation=30, ha='right')
        axes.set_yticks(range(count), facts.teachers)
        axes.set(xlabel='confirmed by', ylabel='boxes of')
        lay_out(figure, axes, 1.4 + 0.7 * count, 0.8 + 0.5 * count)
        return figure


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG text that takes the page's colors; names stay text."""
    with style():
        out = io.StringIO()
        # No date: the same card has the same bytes.
        figure.savefig(out, format='svg', transparent=True, metadata={'Date': None})
    text = out.getvalue()
    return text[text.index('<svg') :].replace(_INK, 'currentColor')


def lay_out(
    figure: Figure,
    axes: Axes,
    width: float,
    height: float,
    handles: Sequence[Artist | Container] = (),
    **of_legend: Any,
) -> None:
    """Make a figure as large as its axes need, with their labels and a legend above.

    Names of teachers and classes have any length: none is cut off, or takes room from the axes.

    Args:
        figure: Its size is set.
        axes: The only ones in it; all else is drawn already.
        width: Of the axes, in inches.
        height: Of the axes, in inches.
        handles: What the legend names by its label: left to itself, matplotlib leaves out labels
            that begin with an underscore. Defaults to nothing.
        of_legend: Further arguments of the legend.
    """
    inner, outer = axes.get_window_extent(), axes.get_tightbbox()
    assert outer is not None
    width += (outer.width - inner.width) / figure.dpi
    height += (outer.height - inner.height) / figure.dpi
    of_legend |= {'handles': handles, 'frameon': False, 'loc': 'outside upper left'}
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(ncols=columns, **of_legend)
        taken = legend.get_window_extent()
        wanted = taken.width / figure.dpi + _AROUND_LEGEND
        if wanted <= width or columns == 1:
            width, height = max(width, wanted), height + taken.height / figure.dpi + _AROUND_LEGEND
            break
        legend.remove()
    figure.set_size_inches(width, height)


def _bars(names: list[str], values: dict[str, list[float]], what: str) -> Figure:
    with style():
        shown = min(len(names), _MOST_CLASSES)
        # The classes with the most of it first, where not all can be shown.
        if len(names) > shown:
            total = np.nan_to_num(np.array(list(values.values()), float)).sum(axis=0)
            order = np.argsort(-total, kind='stable')[:shown]
        else:
            order = np.arange(shown)
        width = max(4.5, 0.3 * shown * max(1, len(values) / 2))
        figure = Figure(layout='constrained')
        axes = figure.add_subplot()
        step, handles = 0.8 / len(values), []
        for number, (name, row) in enumerate(values.items()):
            places = np.arange(shown) + (number - (len(values) - 1) / 2) * step
            heights = np.nan_to_num([row[each] for each in order])
            color = COLORS[number % len(COLORS)]
            handles.append(axes.bar(places, heights, step, label=name, color=color))
        axes.set_xticks(range(shown), [_short(names[n]) for n in order], rotation=45, ha='right')
        axes.set_ylabel(what)
        axes.set_ylim(bottom=0)
        if len(names) > shown:
            axes.set_xlabel(f'the first {shown} of {len(names):,} classes, by this')
        lay_out(figure, axes, min(width, 15.5), 2.2, handles)
        return figure


def _short(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else f'{name[: _MOST_LETTERS - 1]}…'


@contextmanager
def style() -> Iterator[None]:
    """Let figures take the page's colors; names are shown as they are."""
    inked = ('text.color', 'axes.edgecolor', 'axes.labelcolor', 'xtick.color', 'ytick.color')
    # By any key: matplotlib lists every one in a type of its own.
    settings: dict[Any, Any] = dict.fromkeys(inked, _INK)
    settings |= {
        # Text stays text, which the browser's fonts can write in any script.
        'svg.fonttype': 'none',
        'svg.hashsalt': 'mmcompose',
        # A class may be called "$1".
        'text.parse_math': False,
        'axes.spines.top': False,
        'axes.spines.right': False,
        'font.size': 9,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        # It is the browser's fonts that draw them.
        warnings.filterwarnings('ignore', r'Glyph \d+ .* missing from font')
        yield
