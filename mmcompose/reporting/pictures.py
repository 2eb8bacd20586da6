"""The pictures of a card: which to show, and what is drawn on each."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mmcompose.composition import Composition, PoolLabels
from mmcompose.labeling import FUSED, STUDENT
from mmcompose.reporting.ranking import doubts, support
from mmcompose.store import DetectionTable
from mmcompose.structures import Detections, Image, iou
from mmcompose.teachers import Teacher
from mmcompose.utils import progress

MOST = 500
_SIDE, _QUALITY = 480, 70
_LEAST_SCORE = 0.1
_SURE = 0.5
_SAME_IOU = 0.5
# Of one source in one picture.
_MOST_BOXES = 50


@dataclass(frozen=True)
class Shown:
    """A picture of a card.

    Args:
        image: The picture.
        sources: What each teacher, the fused labels and the student have on it.
        disagreement: How far its labels are in doubt; see
            :func:`mmcompose.reporting.ranking.doubts`.
        misses: Boxes of teachers that are sure, where no label is.
        doubtful: Labels that teach, and that fewer than half of their owners that
            predicted on the picture found.
    """

    image: Image
    sources: Mapping[str, Detections]
    disagreement: float
    misses: int
    doubtful: int

    def to_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return plain values for the page: a JPEG, and boxes in pixels of the original."""
        return {
            'key': self.image.key,
            'width': self.image.width,
            'height': self.image.height,
            'disagreement': round(self.disagreement, 4),
            'misses': self.misses,
            'doubtful': self.doubtful,
            'jpeg': _jpeg(self.image),
            'boxes': {name: _boxes(found) for name, found in self.sources.items()},
        }


def choose(
    composition: Composition,
    images: Sequence[Image],
    labels: PoolLabels | DetectionTable,
    student: Teacher | None = None,
    most: int = 200,
) -> list[Shown]:
    """Return the pictures that most need to be seen, those of most disagreement first.

    Args:
        composition: Of which the labels are.
        images: The pool.
        labels: Of each picture. One that could not be read is not shown.
        student: What has learned from them. Defaults to none.
        most: How many. Where the pool has more, half are those of most disagreement, half are
            spread over the others. Defaults to 200.
    """
    owners = composition.class_space.owners
    scores = doubts(labels, owners, labels.unasked)
    ranked = sorted(labels.readable(), key=lambda row: -scores[row])
    if len(ranked) > most:
        first, rest = ranked[: most // 2], ranked[most // 2 :]
        step = np.linspace(0, len(rest) - 1, most - len(first)).round().astype(int)
        ranked = first + [rest[each] for each in step.tolist()]
    tables = composition.predictions(images)
    shown = []
    for row in progress(ranked, 'pictures of the card', len(ranked)):
        by_teacher, _ = composition.teacher_detections(tables, images, row)
        fused = labels[row]
        known = {n: _visible(f, len(composition.classes)) for n, f in by_teacher.items()}
        sources = {**known, FUSED: fused}
        if student is not None:
            sources[STUDENT] = _visible(student.predict([images[row]])[0], len(owners))
        misses = sum(_misses(found, fused) for found in known.values())
        supported = support(fused.kept(), owners, labels.unasked(row))
        doubtful = int((supported < 0.5).sum())
        shown.append(Shown(images[row], sources, scores[row], misses, doubtful))
    return shown


def _misses(found: Detections, labels: Detections) -> int:
    sure = found[found.scores >= _SURE]
    return int((iou(sure.boxes, labels.boxes) < _SAME_IOU).all(axis=1).sum())


def _visible(found: Detections, num_classes: int) -> Detections:
    found = found[(found.scores >= _LEAST_SCORE) & (found.labels < num_classes)]
    return found.sorted()[:_MOST_BOXES]


def _boxes(found: Detections) -> list[list[float]]:
    """Return ``[x1, y1, x2, y2, score, label, is ignored]`` of each box."""
    columns = (found.boxes.round(1).tolist(), found.scores.tolist(), found.labels.tolist())
    rows = zip(*columns, found.is_ignored.tolist(), strict=True)
    return [[*box, round(score, 3), label, int(ignored)] for box, score, label, ignored in rows]


def _jpeg(image: Image) -> str:
    """Return a small copy as base64."""
    pixels = image.pixels
    image.forget_pixels()
    factor = min(1.0, _SIDE / max(image.width, image.height))
    if factor < 1:
        # Of a picture that is a thousand times as long as wide, one pixel is left.
        size = [max(1, round(side * factor)) for side in pixels.shape[1::-1]]
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return base64.b64encode(data.tobytes()).decode('ascii')
