"""The pictures that most need a person, and what the person corrected."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from mmengine.config import Config

from mmcompose.commands.export_labels import export_rows
from mmcompose.commands.load import load
from mmcompose.reporting.ranking import doubts
from mmcompose.store.exports import destination, read_corrections, to_coco
from mmcompose.utils import (
    UserError,
    allowing,
    check_writable,
    file_fingerprint,
    log,
    problem,
    write_json,
)
from mmcompose.version import __version__


def export_review(
    config: str | Config, to: str = 'labelstudio', out: str | None = None, count: int = 100
) -> Path:
    """Write the pictures on whose labels teachers disagree most, for somebody to correct.

    Args:
        config: A config with a composition, or its path. Labels that are missing are made.
        to: 'labelstudio', 'cvat', 'coco' or 'yolo'.
        out: The file, or for YOLO the folder. Defaults to a name of the format.
        count: How many pictures. Defaults to 100.

    Returns:
        What was written.

    Raises:
        UserError: For a mistake in the config; if ``out`` is there or cannot be written.
    """
    if count < 1:
        raise UserError(problem('count', count, 'is not a number from 1 up'))
    path = destination(to, out)
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        # Corrections may stand in it.
        raise UserError(
            problem('out', str(path), 'is there already; name another, or move it away')
        )
    composition = load(config)
    labels, images = composition.labels(), composition.pool
    scores = doubts(labels, composition.class_space.owners)
    rows = sorted(labels.readable(), key=lambda row: -scores[row])[:count]
    path = export_rows(composition, images, labels.table, rows, to, out)
    log(f'{len(rows)} of {len(images)} pictures to be reviewed: {path}')
    return path


def import_review(
    config: str | Config, corrected: str, source: str = 'labelstudio', out: str = 'reviewed.json'
) -> Path:
    """Write what somebody corrected as truth: a COCO json of those pictures alone.

    It enters training as any labeled set does, e.g. in a ``MixedDataset`` beside the pool.

    Args:
        config: The config whose pool was reviewed, or its path.
        corrected: The tool's export.
        source: 'labelstudio', 'cvat', 'coco' or 'yolo'.
        out: The COCO json. Its ``info`` has where the corrections are from.

    Returns:
        ``out``.

    Raises:
        UserError: If the export is none of that format, or does not fit pool and classes.
    """
    check_writable('out', out)
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
