"""What looks at pictures for label transforms that compare them: found and opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmcompose.labeling import LabelPipeline
from mmcompose.registry import FEATURES as KINDS
from mmcompose.registry import build
from mmcompose.teachers import Teacher, teacher_identity

# What is looked at is stored beside predictions, by this name among the makers.
FEATURES = 'features of pictures'
_KEY = 'composition.label_pipeline: features'


@dataclass(frozen=True)
class Features:
    """How to make the features of pictures.

    Args:
        config: The config dict of a registered kind.
        identity: What addresses them in the store.
    """

    config: Mapping[str, Any]
    identity: str

    @classmethod
    def of(cls, pipeline: LabelPipeline) -> Features | None:
        """Return those that a label pipeline compares; None where it compares none.

        Raises:
            UserError: If the config of a step names no kind, or its weights are not installed.
        """
        config = next((step.features for step in pipeline.steps if step.features), None)
        if config is None:
            return None
        return cls(config, teacher_identity(config, build(KINDS, config, _KEY)))

    def open(self) -> Teacher:
        """Return what makes them; no weights are loaded before it looks."""
        made: Teacher = build(KINDS, self.config, _KEY)
        return made
