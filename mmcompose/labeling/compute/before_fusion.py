"""Streams of what teachers predict, each by itself."""

from __future__ import annotations

from collections.abc import Iterator

from mmcompose.labeling.base import FUSED, LabelInput, LabelStream
from mmcompose.utils import UserError, fault

_BEHIND = 'ScoreCalibration compares teachers; put it before a fusion'


def before_fusion(stream: LabelStream) -> Iterator[LabelInput]:
    """Yield the images of a stream.

    Raises:
        UserError: If their boxes are fused.
    """
    for detections, image in stream:
        if FUSED in detections:
            raise UserError(fault('type', _BEHIND))
        yield detections, image
