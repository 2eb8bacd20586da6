"""Drop boxes that too few teachers found."""

from __future__ import annotations

import numpy as np

from mmcompose.labeling.base import ByTeacher, LabelContext, LabelTransform
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections
from mmcompose.utils import UserError, fault, problem


@LABEL_TRANSFORMS.register_module()
class AgreementFilter(LabelTransform):
    """Keep boxes that at least ``min_votes`` teachers found.

    Of a class with fewer owners than that, all of them must have found it: a class that one
    teacher knows is never lost. Stands after a fusion.

    Args:
        min_votes: How many. Defaults to 2.
        sure_score: A box with at least this score is kept however few found it. Defaults to
            None: no such box.

    Raises:
        UserError: If an argument is out of range; when applied, if no fusion went before.
    """

    def __init__(self, min_votes: int = 2, sure_score: float | None = None) -> None:
        if not isinstance(min_votes, int) or min_votes < 1:
            raise UserError(problem('min_votes', min_votes, 'is no positive whole number'))
        if sure_score is not None and not 0 <= sure_score <= 1:
            raise UserError(problem('sure_score', sure_score, 'is not in [0, 1]'))
        self.min_votes = min_votes
        self.sure_score = np.inf if sure_score is None else sure_score

    def apply(self, detections: ByTeacher, context: LabelContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        needed = np.minimum(self.min_votes, context.class_space.owners.sum(axis=1))
        return {name: self._agreed(found, needed) for name, found in detections.items()}

    def _agreed(self, found: Detections, needed: np.ndarray) -> Detections:
        if found.votes is None:
            raise UserError(fault('type', 'AgreementFilter counts votes; put it after a fusion'))
        enough = found.votes.sum(axis=1) >= needed[found.labels]
        return found[enough | (found.scores >= self.sure_score)]
