"""What a step that learned from labeled images does to precision and calibration."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from mmcompose.labeling import ByTeacher, LabelInput, LabelTransform, calibration_error, judge
from mmcompose.labeling.compute.matching import RIGHT, UNJUDGED
from mmcompose.structures import Detections

Labeled = Sequence[LabelInput]


@dataclass(frozen=True)
class BoxFigures:
    """Figures of boxes that were held against the truth.

    Args:
        boxes: How many were judged; those to ignore are not.
        right: The share of right ones, in [0, 1]; NaN without boxes.
        error: The expected calibration error (Guo et al. 2017, 15 bins) of their scores; likewise.
    """

    boxes: int
    right: float
    error: float


@dataclass(frozen=True)
class CalibrationRow:
    """What a step did to one teacher's boxes of labeled images.

    Args:
        step: The name of its class.
        teacher: Whose boxes; 'fused' after a fusion.
        before: The boxes that it was given.
        after: What it made of them, fitted on all of the images.
        held_out: What it makes of them when it is fitted on other images.
    """

    step: str
    teacher: str
    before: BoxFigures
    after: BoxFigures
    held_out: BoxFigures


def calibration_rows(
    step: LabelTransform, labeled: Labeled, folds: int = 5
) -> list[CalibrationRow]:
    """Measure a step that was fitted on labeled images.

    Args:
        step: Fitted on all of them.
        labeled: What the steps before it made of them, with their truth.
        folds: In how many parts the images are split to measure ``held_out``, each transformed
            by what was learned of the others. Defaults to 5.

    Returns:
        A row for each teacher, by name.
    """
    assert step.right_iou_thr is not None, 'learns from labeled images'
    before = [detections for detections, _ in labeled]
    after = [step.apply(*each) for each in labeled]
    held_out = _held_out(step, labeled, folds)
    there = [image.truth for _, image in labeled if image.truth is not None]
    assert len(there) == len(labeled)
    rows = []
    for teacher in sorted({name for detections in before for name in detections}):
        figures = (
            _figures([each[teacher] for each in made], there, step.right_iou_thr)
            for made in (before, after, held_out)
        )
        rows.append(CalibrationRow(type(step).__name__, teacher, *figures))
    return rows


def _figures(
    found: Sequence[Detections], there: Sequence[Detections], iou_thr: float
) -> BoxFigures:
    targets = [each.kept() for each in found]
    verdicts = np.concatenate([judge(*pair, iou_thr) for pair in zip(targets, there, strict=True)])
    scores = np.concatenate([each.scores for each in targets])
    judged, right = verdicts != UNJUDGED, verdicts == RIGHT
    share = float(right[judged].mean()) if judged.any() else math.nan
    return BoxFigures(int(judged.sum()), share, calibration_error(scores[judged], right[judged]))


def _held_out(step: LabelTransform, labeled: Labeled, folds: int) -> list[ByTeacher]:
    """Return what the step makes of each image when it learned from others."""
    fold_of = np.random.default_rng(0).permutation(len(labeled)) % folds
    result: list[ByTeacher] = [{} for _ in labeled]
    for fold in range(folds):
        fitted = copy.copy(step)
        others = [each for each, of in zip(labeled, fold_of, strict=True) if of != fold]
        fitted.fit(others)
        for number in np.flatnonzero(fold_of == fold).tolist():
            result[number] = fitted.apply(*labeled[number])
    return result


def calibration_table(rows: Sequence[CalibrationRow], folds: int = 5) -> Table:
    """Return three lines for each step and teacher."""
    table = Table(title='Expected calibration error', title_justify='left')
    for head in ('step', 'boxes of', 'when'):
        table.add_column(head)
    for head in ('boxes', 'right', 'error'):
        table.add_column(head, justify='right')
    for row in rows:
        names = (row.step, row.teacher)
        held_out = f'held out ({folds} folds)'
        lines = (('before', row.before), ('after', row.after), (held_out, row.held_out))
        for when, figures in lines:
            shown = (str(figures.boxes), _shown(figures.right, '.1%'), _shown(figures.error, '.3f'))
            table.add_row(*(names if when == 'before' else ('', '')), when, *shown)
    return table


def _shown(value: float, form: str) -> str:
    return '-' if math.isnan(value) else format(value, form)
