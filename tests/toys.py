"""A small world of coloured rectangles, and detectors that see some of its colours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmcompose.structures import Detections, Image

COLOURS = {'red': (0, 0, 255), 'green': (0, 255, 0), 'blue': (255, 0, 0)}
# Teachers whose classes stand in another order than the student's, and share one of them.
FIRST = ('green', 'red')
SECOND = ('blue', 'red')
STUDENT = ('green', 'red', 'blue')

TEACHERS: dict[str, dict[str, Any]] = {
    'first': {
        'type': 'mmcompose.FunctionTeacher',
        'function': 'tests.toys.see',
        'classes': list(FIRST),
        'arguments': {'colours': list(FIRST)},
    },
    'second': {
        'type': 'mmcompose.FunctionTeacher',
        'function': 'tests.toys.see',
        'classes': list(SECOND),
        'arguments': {'colours': list(SECOND)},
    },
}
LABEL_PIPELINE: list[dict[str, Any]] = [
    {'type': 'mmcompose.ScoreFilter', 'min_score': 0.05},
    {'type': 'mmcompose.WeightedBoxesFusion', 'iou_thr': 0.55},
    {'type': 'mmcompose.ScoreBands', 'keep': 0.5, 'ignore': 0.3},
]


def composition(store: str | Path, **changes: Any) -> dict[str, Any]:
    """Return a composition of both teachers."""
    plain = {
        'teachers': {name: dict(config) for name, config in TEACHERS.items()},
        'label_pipeline': [dict(step) for step in LABEL_PIPELINE],
        'store': str(store),
        'workers': 1,
    }
    return {**plain, **changes}


def see(
    pixels: NDArray[np.uint8], colours: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Find rectangles of some colours; the larger, the surer."""
    boxes, scores, labels = [], [], []
    for label, name in enumerate(colours):
        mask = (np.abs(pixels.astype(int) - COLOURS[name]).max(2) < 40).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        for left, top, width, height, area in stats[1:count]:
            boxes.append([left, top, left + width, top + height])
            scores.append(min(0.6 + area / 4000, 0.99))
            labels.append(label)
    return (
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(labels, np.int64),
    )


def draw(folder: Path, count: int, empty: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Draw pictures of 96x64 pixels, one rectangle of each colour in its own third.

    Args:
        folder: Where to.
        count: How many.
        empty: The numbers of those without a rectangle.

    Returns:
        For each its file name, and boxes (xyxy) by colour.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    drawn = []
    for number in range(count):
        pixels = np.full((64, 96, 3), 60, np.uint8)
        boxes: dict[str, list[int]] = {}
        for third, name in enumerate(COLOURS if number not in empty else ()):
            left, top = 32 * third + random.integers(1, 8), random.integers(2, 20)
            right, bottom = left + random.integers(16, 23), top + random.integers(16, 40)
            pixels[top:bottom, left:right] = COLOURS[name]
            boxes[name] = [int(left), int(top), int(right), int(bottom)]
        name = f'{number:03d}.png'
        cv2.imwrite(str(folder / name), pixels)
        drawn.append({'file_name': name, 'boxes': boxes})
    return drawn


def write_coco(
    path: Path,
    drawn: Sequence[Mapping[str, Any]],
    categories: Mapping[int, str],
    masks: bool = False,
) -> str:
    """Write what was drawn as a COCO json.

    Args:
        path: Where to.
        drawn: What :func:`draw` returned.
        categories: Name by id, in the file's order; boxes of other names are left out.
        masks: Whether each box has its rectangle as a mask. Defaults to False.
    """
    ids = {name: number for number, name in categories.items()}
    images, annotations = [], []
    for number, picture in enumerate(drawn, start=1):
        images.append({'id': number, 'file_name': picture['file_name'], 'width': 96, 'height': 64})
        for name, (x1, y1, x2, y2) in picture['boxes'].items():
            if name in ids:
                annotations.append(
                    {
                        'id': len(annotations) + 1,
                        'image_id': number,
                        'category_id': ids[name],
                        'bbox': [x1, y1, x2 - x1, y2 - y1],
                        'area': (x2 - x1) * (y2 - y1),
                        'iscrowd': 0,
                    }
                )
                if masks:
                    annotations[-1]['segmentation'] = [[x1, y1, x2, y1, x2, y2, x1, y2]]
    content = {
        'images': images,
        'annotations': annotations,
        'categories': [{'id': number, 'name': name} for number, name in categories.items()],
    }
    path.write_text(json.dumps(content))
    return str(path)


def replayed(folder: Path, drawn: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a teacher of :data:`SECOND`, three pixels off, that predicted on some pictures alone.

    Args:
        folder: Where its predictions are written.
        drawn: What :func:`draw` returned, of the pictures that it predicted on.
    """
    listed = write_coco(folder / 'listed.json', drawn, dict(enumerate(SECOND, start=1)))
    results = []
    for each in json.loads(Path(listed).read_text())['annotations']:
        left, *rest = each['bbox']
        found = {'bbox': [left + 3, *rest], 'score': 0.9}
        results.append({key: each[key] for key in ('image_id', 'category_id')} | found)
    (folder / 'results.json').write_text(json.dumps(results))
    return {
        'type': 'mmcompose.COCOResultsTeacher',
        'results': str(folder / 'results.json'),
        'images': listed,
        'on_unmatched': 'warn',
    }


def images_in(folder: Path) -> list[Image]:
    """List the pictures that :func:`draw` made."""
    return [Image(path.name, str(path), 96, 64) for path in sorted(folder.glob('*.png'))]


def random_detections(seed: int, count: int, **more: Any) -> Detections:
    """Make boxes inside 96x64 pixels."""
    random = np.random.default_rng(seed)
    low = random.uniform(0, 40, (count, 2))
    boxes = np.hstack([low, low + random.uniform(5, 24, (count, 2))])
    plain = Detections.from_arrays(boxes, random.uniform(0, 1, count), random.integers(0, 3, count))
    return Detections(plain.boxes, plain.scores, plain.labels, **more)


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the content of every file in a folder, by path relative to it."""
    found = (path for path in sorted(folder.rglob('*')) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def assert_sound(found: Detections) -> None:
    """Assert that these are detections: finite corners in order, scores in [0, 1]."""
    assert np.isfinite(found.boxes).all()
    assert (found.boxes[:, 2:] >= found.boxes[:, :2]).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
