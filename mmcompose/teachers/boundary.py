"""The one place where what a teacher predicts is checked, whoever wrote the teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeAlias

import numpy as np

from mmcompose.structures import Detections, Image
from mmcompose.teachers.evidence import Evidence
from mmcompose.utils import UserError, allowing, fault

# How far over its bounds a score may lie: by a rounding error, or since Mask Scoring R-CNN
# multiplies its scores with an overlap that it regresses. Logits lie farther off.
SCORE_SLACK = 0.05

Predict: TypeAlias = Callable[..., list[Detections]]


def checked_at_the_boundary(predict: Predict) -> Predict:
    """Return a teacher's ``predict`` with its results checked and cut at the picture's border.

    So is ``predict_prepared``, which takes more beside the images.
    """

    @wraps(predict)
    def checked_predict(self: Any, images: Sequence[Image], *more: Any) -> list[Detections]:
        with allowing(self.allow):
            return _checked(self, images, predict(self, images, *more))

    return checked_predict


def _checked(teacher: Any, images: Sequence[Image], found: Any) -> list[Detections]:
    if not isinstance(found, list) or not all(isinstance(one, Detections) for one in found):
        raise UserError(
            fault('predict', f'returns {type(found).__name__}, not a list of Detections')
        )
    if len(found) != len(images):
        raise UserError(fault('predict', f'returns {len(found)} results for {len(images)} images'))
    evidence: Evidence = vars(teacher).setdefault('_evidence', Evidence())
    if found:
        check_detections(found, images, teacher.classes)
        evidence.add(found, images, teacher.classes, teacher.regresses_boxes)
    evidence.check()
    return mended(found, images)


def check_detections(
    found: Sequence[Detections], images: Sequence[Image], classes: Sequence[str]
) -> None:
    """Check what a teacher predicts for pictures.

    Args:
        found: Of each picture, boxes in pixels of the original image.
        images: The images.
        classes: The teacher's class names.

    Raises:
        UserError: If a number is NaN or infinite, a score outside [0, 1], or a label names no
            class.
    """
    scores = np.concatenate([one.scores for one in found])
    labels = np.concatenate([one.labels for one in found])
    is_sound = np.isfinite(np.concatenate([one.boxes for one in found])).all()
    is_sound &= all(one.features is None or np.isfinite(one.features).all() for one in found)
    # Of NaN all comparisons are false.
    is_sound &= ((scores >= -SCORE_SLACK) & (scores <= 1 + SCORE_SLACK)).all()
    if not (is_sound and ((labels >= 0) & (labels < len(classes))).all()):
        for one, image in zip(found, images, strict=True):
            _check_picture(one, image, classes)


def _check_picture(found: Detections, image: Image, classes: Sequence[str]) -> None:
    for word, has in (('NaN', np.isnan), ('infinite numbers', np.isinf)):
        of_features = found.features is not None and has(found.features).any()
        if has(found.boxes).any() or has(found.scores).any() or of_features:
            raise UserError(fault('', f'{image.path}: the model predicts {word}'))
    if not len(found):
        return
    low, high = found.scores.min(), found.scores.max()
    if not -SCORE_SLACK <= low <= high <= 1 + SCORE_SLACK:
        raise UserError(
            fault(
                '',
                f'{image.path}: the model predicts scores in [{low:g}, {high:g}], not in [0, 1]: '
                'are they logits, percentages or ids?',
            )
        )
    if not 0 <= found.labels.min() <= found.labels.max() < len(classes):
        wrong = found.labels[(found.labels < 0) | (found.labels >= len(classes))][0]
        raise UserError(
            fault('classes', f'{len(classes)} names, but the model predicts class number {wrong}')
        )


def mended(found: Sequence[Detections], images: Sequence[Image]) -> list[Detections]:
    """Cut boxes at the picture's border, scores at 0 and 1, and drop boxes without an area."""
    return [
        one.with_fields(scores=one.scores.clip(0, 1)).clipped(image.width, image.height)
        for one, image in zip(found, images, strict=True)
    ]
