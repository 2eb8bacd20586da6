"""Adapter: what lets the labels of a head's loss count as much as they are worth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import nn

from mmcompose.models.weighted_targets.patches import Patches
from mmcompose.models.weighted_targets.targets import Settings


class Adapter(ABC):
    """Weighs the loss of one head, by methods of it and of its parts that it replaces.

    Args:
        head: Any that :func:`not_reached` has nothing against.
        settings: How uncertain labels are learned from.
        class_agnostic: Whether its one class is any object, as in region proposals. Defaults to
            False.
    """

    def __init__(self, head: nn.Module, settings: Settings, class_agnostic: bool = False) -> None:
        self.head: Any = head
        self.settings = settings
        self.class_agnostic = class_agnostic

    @property
    def takes_soft_targets(self) -> bool:
        """Whether the head can learn from soft class targets. Defaults to False."""
        return False

    @abstractmethod
    def attach(self, patches: Patches) -> None:
        """Replace what computes the loss, and what carries the targets of each image."""
