"""The pictures that most need a person, and what the person corrected."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmcompose.commands.config_files import read_compose_config
from mmcompose.commands.export_labels import export_rows
from mmcompose.commands.load import load
from mmcompose.composition import Composition
from mmcompose.datasets import labeled_rows
from mmcompose.engine.read_composition import read_composition
from mmcompose.engine.resolve import resolve_dataset
from mmcompose.reporting.ranking import doubts
from mmcompose.store.exports import destination, read_corrections, to_coco
from mmcompose.utils import (
    UserError,
    allowing,
    check_writable,
    fault,
    file_fingerprint,
    log,
    problem,
    write_json,
)
from mmcompose.version import __version__

_TRAINING_SET = 'train_dataloader.dataset'


def export_review(
    config: str | Config, to: str = 'labelstudio', out: str | None = None, count: int = 100
) -> Path:
    """Write the pictures on whose labels teachers disagree most, for somebody to correct.

    Left out are those of which the training set has true labels of all classes, be it as
    ``truth`` of the pool or in a labeled source beside it: what was reviewed before.

    Args:
        config: A config with a composition, or its path. Labels that are missing are made.
        to: 'labelstudio', 'cvat', 'coco' or 'yolo'.
        out: The file, or for YOLO the folder. Defaults to a name of the format.
        count: How many pictures. Defaults to 100.

    Returns:
        What was written.

    Raises:
        UserError: For a mistake in the config; if ``out`` is there or cannot be written, or no
            picture is left.
    """
    if count < 1:
        raise UserError(problem('count', count, 'is not a number from 1 up'))
    path = destination(to, out)
    _check_not_there(path)
    config = read_compose_config(config)
    composition = read_composition(config)
    images = composition.pool
    labeled = _labeled_rows(config, composition)
    # Before teachers predict for hours.
    if len(labeled) == len(images):
        expected = f'has true labels of all {len(images)} pictures of the pool: none is left'
        raise UserError(fault(_TRAINING_SET, expected))
    labels = composition.labels()
    readable = labels.readable()
    rows = [row for row in readable if row not in labeled]
    if not rows:
        expected = (
            f'has true labels of {len(labeled)} of {len(images)} pictures of the pool, and the '
            'others cannot be read: none is left'
        )
        raise UserError(fault(_TRAINING_SET, expected))
    scores = doubts(labels, composition.class_space.owners, labels.unasked)
    num_left_out = len(readable) - len(rows)
    rows = sorted(rows, key=lambda row: -scores[row])[:count]
    path = export_rows(composition, images, labels.table, rows, to, out)
    left_out = f' ({num_left_out} have true labels and are left out)' if num_left_out else ''
    log(f'{len(rows)} of {len(images)} pictures to be reviewed{left_out}: {path}')
    return path


def _check_not_there(path: Path) -> None:
    """Check that nothing is written over: corrections may stand in it.

    Raises:
        UserError: If there is a file, or a folder with something in it.
    """
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise UserError(
            problem('out', str(path), 'is there already; name another, or move it away')
        )


def _labeled_rows(config: Config, composition: Composition) -> frozenset[int]:
    """Return the rows of the pool's pictures that the training set has true labels of."""
    dataset = copy.deepcopy(config.train_dataloader.dataset)
    scope = config.get('default_scope') or 'mmdet'
    with (
        DefaultScope.overwrite_default_scope(scope),
        allowing(composition.resolved['allow']),
    ):
        resolved = resolve_dataset(_TRAINING_SET, dataset, composition)
        return labeled_rows(resolved, composition.pool, len(composition.classes))


def import_review(
    config: str | Config, corrected: str, source: str = 'labelstudio', out: str = 'reviewed.json'
) -> Path:
    """Write what somebody corrected as truth: a COCO json of those pictures alone.

    It enters training as any labeled set does, e.g. in a ``MixedDataset`` beside the pool.

    Args:
        config: The config whose pool was reviewed, or its path.
        corrected: The tool's export.
        source: 'labelstudio', 'cvat', 'coco' or 'yolo'.
        out: The COCO json, a new one each time. Its ``info`` has where the corrections are from.

    Returns:
        ``out``.

    Raises:
        UserError: If the export is none of that format, or does not fit pool and classes; if
            ``out`` is there or cannot be written.
    """
    check_writable('out', out)
    _check_not_there(Path(out))
    composition = load(config)
    with allowing(composition.resolved['allow']):
        images, truth = read_corrections(source, corrected, composition.pool, composition.classes)
    if not images:
        raise UserError(problem('corrected', corrected, 'has no picture that was reviewed'))
    content = to_coco(images, truth, composition.classes)
    file = Path(corrected)
    content['info'] = {
        'description': 'labels that a person reviewed',
        'source': source,
        'file': file.name,
        'fingerprint': file_fingerprint(file) if file.is_file() else None,
        'date_created': datetime.now(UTC).isoformat(timespec='seconds'),
        'version': f'mmcompose {__version__}',
    }
    write_json('out', out, content, indent=None)
    log(f'{len(images)} reviewed pictures, {sum(map(len, truth))} boxes: {out}')
    return Path(out)
