"""Plots of what is wrong with boxes, and of whether scores can be believed."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmcompose.composition import PSEUDO_LABELS
from mmcompose.evaluation import KINDS, CompositionTable
from mmcompose.reporting.figures import COLORS, lay_out, style

# What is right in green, what is missed in gray.
_COLORS = ('#009e73', '#56b4e9', '#e69f00', '#f0e442', '#cc79a7', '#d55e00', '#8c8c96')


def plot_errors(errors: Mapping[str, Mapping[str, int]]) -> Figure:
    """Return a bar for each detector: what its boxes are, and what it misses.

    Args:
        errors: By detector how many there are of each kind; see
            :func:`mmcompose.evaluation.error_kinds`.
    """
    with style():
        figure = Figure(layout='constrained')
        axes = figure.add_subplot()
        names = list(errors)
        left, handles = [0.0] * len(names), []
        for kind, color in zip(KINDS, _COLORS, strict=True):
            shares = [errors[n][kind] / max(sum(errors[n].values()), 1) for n in names]
            bars = axes.barh(
                range(len(names)), shares, left=left, label=kind, color=color, height=0.7
            )
            handles.append(bars)
            left = [start + share for start, share in zip(left, shares, strict=True)]
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set(xlim=(0, 1), xlabel='share of boxes and of missed objects')
        lay_out(
            figure,
            axes,
            5.4,
            0.5 + 0.32 * len(errors),
            handles,
            # Close together: seven names are as wide as the figure.
            handlelength=1,
            handletextpad=0.4,
            columnspacing=1,
        )
        return figure


def plot_calibration(table: CompositionTable) -> Figure:
    """Return a line for each row: of boxes of a score, the share that is right."""
    with style():
        figure = Figure(layout='constrained')
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color='#8c8c96', linewidth=1, linestyle='--')
        shown = [(name, each) for name, each in table.diagnoses.items() if name != PSEUDO_LABELS]
        handles: list[Line2D] = []
        for number, (name, found) in enumerate(shown):
            handles += axes.plot(
                found.scores,
                found.right,
                marker='o',
                markersize=3,
                label=f'{table.labels.get(name, name)} ({found.calibration_error:.2f})',
                color=COLORS[number % len(COLORS)],
            )
        axes.set(xlabel='score', ylabel='share that is right', xlim=(0, 1), ylim=(0, 1.02))
        lay_out(figure, axes, 4.4, 3.2, handles)
        return figure
