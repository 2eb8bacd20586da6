"""A config's labels in another tool's format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from mmengine.config import Config
from torch.utils.data import ConcatDataset

from mmcompose.commands.config_files import read_compose_config
from mmcompose.composition import Composition
from mmcompose.datasets import join_pools
from mmcompose.engine.read_composition import pools_of, read_composition
from mmcompose.store import DetectionTable
from mmcompose.store.exports import destination, export
from mmcompose.structures import Detections, Image
from mmcompose.utils import Selection, log


def export_labels(config: str | Config, to: str, out: str | None = None) -> Path:
    """Write the labels of all that a config's student learns from without labels, in one place.

    What the store does not hold yet is made.

    Args:
        config: A config with a composition, or its path.
        to: A format; see :func:`mmcompose.store.exports.export`.
        out: The file or folder. Defaults to a name of the format in the working directory.

    Returns:
        What was written.

    Raises:
        UserError: For a mistake in the config; if there is no such format, or it cannot be written.
    """
    # Before hours of work.
    destination(to, out)
    config = read_compose_config(config)
    composition, pools = read_composition(config), pools_of(config)
    images = join_pools(pools)
    tables = [composition.labels(each).table for each in pools]
    return export_readable(composition, images, tables, to, out)


def export_readable(
    composition: Composition,
    images: Sequence[Image],
    tables: Sequence[DetectionTable],
    to: str,
    out: str | None,
) -> Path:
    """Write the labels of a composition's pictures that could be read; return what was written.

    Args:
        composition: What labels them.
        images: The pictures of all pools, one after another.
        tables: The labels of each pool.
        to: A format; see :func:`mmcompose.store.exports.export`.
        out: The file or folder. None for a name of the format in the working directory.
    """
    # It takes any sequence that has a length.
    labels: Any = ConcatDataset(cast(Any, tables))
    # A picture that could not be read is not one without objects.
    rows = [
        start + row
        for start, table in zip([0, *labels.cumulative_sizes], tables, strict=False)
        for row in table.readable()
    ]
    path = export_rows(composition, images, labels, rows, to, out)
    log(f'labels of {len(rows)} images exported to {path}')
    return path


def export_rows(
    composition: Composition,
    images: Sequence[Image],
    labels: Sequence[Detections],
    rows: Sequence[int],
    to: str,
    out: str | None,
) -> Path:
    """Write the labels of some of a composition's pictures; return what was written.

    Args:
        composition: What labels them.
        images: The pictures.
        labels: A row a picture.
        rows: Which of them.
        to: A format; see :func:`mmcompose.store.exports.export`.
        out: The file or folder. None for a name of the format in the working directory.
    """
    return export(
        to,
        Selection(images, rows),
        Selection(labels, rows),
        composition.classes,
        composition.class_space.teachers,
        out,
    )
