"""What a part of a run declares that checks the config around it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from mmengine.config import Config


@runtime_checkable
class ChecksConfig(Protocol):
    """A hook that checks the run's config before anything is made."""

    def check(self, config: Config) -> None:
        """Check that the hook can work in a run of this config.

        Args:
            config: The run's, resolved.

        Raises:
            UserError: If it cannot.
        """
