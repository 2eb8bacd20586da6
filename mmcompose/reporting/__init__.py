"""The composition card: what was composed, on one page that needs nothing else."""

from mmcompose.reporting.card import Made, write_card
from mmcompose.reporting.facts import Facts, gather
from mmcompose.reporting.figures import (
    plot_agreement,
    plot_labels_per_class,
    plot_per_class,
    plot_scores,
)
from mmcompose.reporting.pictures import Shown, choose

__all__ = [
    'Facts',
    'Made',
    'Shown',
    'choose',
    'gather',
    'plot_agreement',
    'plot_labels_per_class',
    'plot_per_class',
    'plot_scores',
    'write_card',
]
