"""What other tools' own packages read in our exports, and write for us to read.

They are Label Studio's SDK and datumaro, which CVAT's makers maintain, of
requirements/reference.txt. Each call is a process of its own that alone sees their folder: what
they import stays out of this one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmcompose.structures import Detections, Image

REFERENCE = Path(sys.prefix) / 'reference'


def _run(program: str, **task: Any) -> Any:
    for name in ('datumaro', 'label_studio_sdk'):
        assert (REFERENCE / name).is_dir(), f'{REFERENCE / name} is missing: run `make setup`'
    result = subprocess.run(
        [sys.executable, '-P', str(Path(__file__).with_name(f'{program}.py'))],
        input=json.dumps(task, default=str),
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, 'PYTHONPATH': str(REFERENCE)},
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def read_label_studio(tasks: Path, classes: Sequence[str], folder: Path) -> dict[str, Detections]:
    """Return by path what Label Studio's converter finds in exported tasks.

    The SDK has validated every task and prediction against the exported interface before, and
    takes each prediction as an annotation, as a person does who accepts it.

    Args:
        tasks: The export; the interface lies beside it.
        classes: Class names.
        folder: For what the converter writes.
    """
    interface = tasks.with_suffix('.config.xml')
    folder.mkdir(parents=True)
    found = _run('label_studio', job='read', tasks=tasks, interface=interface, folder=folder)
    return {path: _detections(rows, classes) for path, rows in found.items()}


def annotate_in_label_studio(
    tasks: Path, labels: Sequence[Detections], images: Sequence[Image], classes: Sequence[str]
) -> None:
    """Replace exported predictions by annotations that Label Studio's SDK makes and validates."""
    regions = []
    for image, found in zip(images, labels, strict=True):
        scale = 100 / np.array([image.width, image.height] * 2)
        rows = [
            [*box, classes[n]] for box, n in zip(found.boxes * scale, found.labels, strict=True)
        ]
        sizes = {'original_width': image.width, 'original_height': image.height}
        regions.append({'rows': rows, 'sizes': sizes})
    interface = tasks.with_suffix('.config.xml')
    _run('label_studio', job='annotate', tasks=tasks, interface=interface, regions=regions)


def read_datumaro(form: str, path: Path, classes: Sequence[str]) -> dict[str, Detections]:
    """Return what datumaro reads, by its names of pictures: keys without their endings.

    Args:
        form: Its name of the format: ``cvat``, ``yolo`` or ``coco``.
        path: The export. For CVAT the pictures must lie in ``images`` beside it.
        classes: Class names.
    """
    found = _run('datumaro_formats', job='read', form=form, path=path)
    return {name: _detections(rows, classes) for name, rows in found.items()}


def write_cvat(
    images: Sequence[Image], labels: Sequence[Detections], classes: Sequence[str], folder: Path
) -> Path:
    """Return the CVAT file that datumaro writes of labels, with its pictures beside it."""
    items = []
    for image, found in zip(images, labels, strict=True):
        rows = list(zip(found.boxes.tolist(), found.labels.tolist(), strict=True))
        items.append({'key': image.key, 'path': image.path, 'rows': rows})
    written = _run('datumaro_formats', job='write', items=items, classes=classes, folder=folder)
    return Path(written)


def _detections(rows: list[Any], classes: Sequence[str]) -> Detections:
    boxes = np.array([row[:4] for row in rows]).reshape(-1, 4)
    labels = np.array([list(classes).index(row[4]) for row in rows], np.int64)
    ignored = np.array([row[6] for row in rows], bool)
    found = Detections.from_arrays(boxes, [row[5] for row in rows], labels)
    return replace(found, ignore=ignored)
