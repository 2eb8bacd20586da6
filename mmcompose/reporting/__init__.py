"""The composition card: what was composed, on one page that needs nothing else."""

from mmcompose.reporting.card import CARD_FILES, write_card
from mmcompose.reporting.facts import Facts, gather
from mmcompose.reporting.figures import (
    plot_agreement,
    plot_labels_per_class,
    plot_per_class,
    plot_scores,
)
from mmcompose.reporting.made import Made
from mmcompose.reporting.make_card import make_card
from mmcompose.reporting.pictures import Shown, choose
from mmcompose.reporting.truth_figures import plot_calibration, plot_errors

__all__ = [
    'CARD_FILES',
    'Facts',
    'Made',
    'Shown',
    'choose',
    'gather',
    'make_card',
    'plot_agreement',
    'plot_calibration',
    'plot_errors',
    'plot_labels_per_class',
    'plot_per_class',
    'plot_scores',
    'write_card',
]
