"""A config's composition, to be used from Python."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mmengine.config import Config

from mmcompose.commands.config_files import read_compose_config
from mmcompose.composition import Composition
from mmcompose.engine.read_composition import pool_of, read_composition
from mmcompose.structures import Image
from mmcompose.utils import UserError, problem


def load(config: str | Config) -> Composition:
    """Return a config's composition: ``.labels()`` of its pool, ``.predict(image)`` of any picture.

    Args:
        config: Its path, or the config itself. No weights are loaded before a teacher predicts.

    Raises:
        UserError: With a line for each mistake in it.
    """
    config = read_compose_config(config)
    composition = read_composition(config)
    composition.list_pool = partial(_pool, config)
    return composition


def _pool(config: Config) -> Sequence[Image]:
    images = pool_of(config)
    if images is None:
        expected = 'holds no mmcompose.PseudoLabeledDataset, whose images are to be labelled'
        dataset = (config.get('train_dataloader') or {}).get('dataset')
        raise UserError(problem('train_dataloader.dataset', dataset, expected))
    return images
