"""Tests of the plots that need the truth."""

from __future__ import annotations

import numpy as np

from mmcompose.evaluation import KINDS, CompositionTable, Diagnosis
from mmcompose.evaluation.diagnosis import BINS
from mmcompose.reporting.truth_figures import plot_calibration, plot_errors


def test_every_kind_of_error_is_named_within_the_plot() -> None:
    figure = plot_errors({'teacher': dict.fromkeys(KINDS, 1)})
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(KINDS)
    extent = legend.get_window_extent()
    assert figure.bbox.x0 <= extent.x0 and extent.x1 <= figure.bbox.x1


def test_a_teacher_that_begins_with_an_underscore_is_named() -> None:
    found = Diagnosis({}, np.full(BINS, 0.5), np.full(BINS, 0.5), 0.25)
    (legend,) = plot_calibration(CompositionTable([], {}, {'_own': found})).legends
    assert [text.get_text() for text in legend.get_texts()] == ['_own (0.25)']
