"""A config's composition, to be used from Python."""

from __future__ import annotations

from mmengine.config import Config

from mmcompose.commands.config_files import read_compose_config
from mmcompose.composition import Composition
from mmcompose.engine.read_composition import read_composition


def load(config: str | Config) -> Composition:
    """Return a config's composition: ``.labels()`` of its pool, ``.predict(image)`` of any picture.

    Args:
        config: Its path, or the config itself. No weights are loaded before a teacher predicts.

    Raises:
        UserError: With a line for each mistake in it.
    """
    return read_composition(read_compose_config(config))
