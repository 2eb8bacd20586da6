"""What MMEngine's Runner calls on the way."""

from mmcompose.engine.hooks.class_rows import ClassRowsHook
from mmcompose.engine.hooks.label_summary import LabelSummaryHook, pseudo_labeled, summary

__all__ = ['ClassRowsHook', 'LabelSummaryHook', 'pseudo_labeled', 'summary']
