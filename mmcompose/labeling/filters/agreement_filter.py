"""Drop boxes that too few teachers found."""

from __future__ import annotations

import numpy as np

from mmcompose.labeling.base import ByTeacher, ImageContext, LabelTransform
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections
from mmcompose.utils import Count, Fraction, UserError, fault


@LABEL_TRANSFORMS.register_module()
class AgreementFilter(LabelTransform):
    """Keep boxes that at least ``min_votes`` teachers found.

    Of a class with fewer owners than that, all of them must have found it: a class that one
    teacher knows is never lost. Owners that did not predict on the image do not count. Stands
    after a fusion.

    Args:
        min_votes: How many. Defaults to 2.
        sure_score: A box with at least this score is kept however few found it. Defaults to
            None: no such box.

    Raises:
        UserError: When applied, if no fusion went before.
    """

    revision = 2

    def __init__(self, min_votes: Count = 2, sure_score: Fraction | None = None) -> None:
        self.min_votes = min_votes
        self.sure_score = np.inf if sure_score is None else sure_score

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        needed = np.minimum(self.min_votes, image.num_owners(self.class_space))
        return {name: self._agreed(found, needed) for name, found in detections.items()}

    def _agreed(self, found: Detections, needed: np.ndarray) -> Detections:
        if found.votes is None:
            raise UserError(fault('type', 'AgreementFilter counts votes; put it after a fusion'))
        enough = found.votes.sum(axis=1) >= needed[found.labels]
        return found[enough | (found.scores >= self.sure_score)]
