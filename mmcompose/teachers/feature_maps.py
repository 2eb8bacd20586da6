"""The protocol of a teacher that shows what it makes of pictures before it detects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor


class ShowsFeatureMaps(ABC):
    """A teacher whose detector runs in the process, and gives its feature maps, too."""

    def check_feature_maps(self) -> None:
        """Check, before anything is made, that there are any; most need not.

        Raises:
            UserError: If the detector has none.
        """

    @abstractmethod
    def feature_maps(
        self, pictures: Sequence[Tensor]
    ) -> tuple[tuple[Tensor, ...], tuple[int, int]]:
        """Return what the detector's neck makes of pictures.

        Args:
            pictures: Each ``(3, H, W)`` BGR, of the range of uint8, as a data loader gives them.

        Returns:
            A map ``(B, C, h, w)`` a level, and the height and width that the pictures were padded
            to, at the right and below, in their pixels: all that the maps cover.
        """
