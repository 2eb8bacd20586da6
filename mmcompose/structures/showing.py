"""Detections as a person reads them, and in supervision's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.utils import optional_package

_ROWS_SHOWN = 20


def in_one_line(
    scores: NDArray[np.float32], labels: NDArray[np.int64], ignore: NDArray[np.bool_] | None
) -> str:
    """Return how many boxes there are, of which labels, and how sure they are."""
    if not len(scores):
        return 'Detections(0 boxes)'
    found, counts = np.unique(labels, return_counts=True)
    by_label = ', '.join(f'{n} of {label}' for label, n in zip(found, counts, strict=True))
    range_ = f'scores {scores.min():.2f} to {scores.max():.2f}'
    ignored = f', {ignore.sum()} ignored' if ignore is not None else ''
    return f'Detections({len(scores)} boxes: {by_label}; {range_}{ignored})'


def as_html(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], labels: NDArray[np.int64]
) -> str:
    """Return a table of boxes, a row each; only the first few."""
    columns = (labels.tolist(), scores.tolist(), boxes.tolist())
    rows = [
        [str(label), f'{score:.3f}', *(f'{side:.1f}' for side in box)]
        for label, score, box in zip(*columns, strict=True)
    ]
    head = ''.join(f'<th>{name}</th>' for name in ('label', 'score', 'x1', 'y1', 'x2', 'y2'))
    body = ''.join(
        '<tr>' + ''.join(f'<td>{cell}</td>' for cell in row) + '</tr>' for row in rows[:_ROWS_SHOWN]
    )
    more = len(rows) - _ROWS_SHOWN
    tail = f'<p>and {more} more</p>' if more > 0 else ''
    return f'<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{tail}'


def as_supervision(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: Sequence[str] | None,
    more: Mapping[str, NDArray[Any] | None],
) -> Any:
    """Return ``supervision.Detections``.

    Args:
        boxes: See :class:`mmcompose.structures.Detections`.
        scores: Likewise.
        labels: Likewise.
        classes: The names of the labels, for ``data['class_name']``.
        more: Further arrays of a row a box for ``data``; None where there is none.
    """
    supervision = optional_package('supervision', 'supervision', 'to_supervision')
    data = {name: values for name, values in more.items() if values is not None}
    if classes is not None:
        data['class_name'] = np.array(classes, np.str_)[labels]
    return supervision.Detections(xyxy=boxes, confidence=scores, class_id=labels, data=data)
