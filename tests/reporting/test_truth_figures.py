"""Tests of the plots that need the truth."""

from __future__ import annotations

from mmcompose.evaluation import KINDS
from mmcompose.reporting.truth_figures import plot_errors


def test_every_kind_of_error_is_named_within_the_plot() -> None:
    figure = plot_errors({'teacher': dict.fromkeys(KINDS, 1)})
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(KINDS)
    extent = legend.get_window_extent()
    assert figure.bbox.x0 <= extent.x0 and extent.x1 <= figure.bbox.x1
