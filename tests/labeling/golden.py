"""What every label transform and method makes of a fixed pool, kept in golden.json.

    python -m tests.labeling.golden

writes the file anew after a ``revision`` was counted up; it refuses where results changed without.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmcompose.labeling import ByTeacher, LabelPipeline
from mmcompose.structures import Detections
from tests.labeling.test_every_transform import HIERARCHY, PIPELINES
from tests.labeling.toys import HEIGHT, TEACHERS, WIDTH, Scene, apply, fit, scene

FILE = Path(__file__).with_name('golden.json')
IMAGES, SHOWN = 60, 4
# Of what the figures of an image differ on another machine.
TOLERANCE = 1e-4


def pool(name: str) -> tuple[list[tuple[ByTeacher, Scene]], dict[str, Detections]]:
    """Return detections of teachers, one of which fails now and then, and what there is."""
    rng = np.random.default_rng(0)
    hierarchy = HIERARCHY if name == 'ResolveHierarchy' else None
    there = [scene(key=str(number), hierarchy=hierarchy) for number in range(IMAGES)]
    images, truth = [], {}
    for at in there:
        objects, labels = _boxes(rng, 6), rng.integers(0, 4, 6)
        truth[at.image.key] = Detections.from_arrays(objects, np.ones(6), labels)
        if name == 'AppearanceCheck':
            looking = replace(at.image, cells=_cells(objects, labels))
            at = at._replace(image=looking)
        said = {}
        for teacher in TEACHERS:
            own = at.class_space.teacher_index(teacher)
            fails = teacher == 'a' and rng.random() < 0.3
            moved = _boxes(rng, 6) if fails else objects + rng.normal(0, 2, objects.shape)
            clutter = _boxes(rng, 3)
            kept = np.isin(labels, own) & (rng.random(6) < 0.9)
            scores = np.concatenate([rng.uniform(0.3, 1, kept.sum()), rng.uniform(0, 0.4, 3)])
            known = np.concatenate([labels[kept], rng.choice(own, 3)])
            boxes = np.concatenate([moved[kept], clutter])
            said[teacher] = Detections.from_arrays(boxes, scores, known)
        images.append((said, at))
    return images, truth


def _cells(objects: np.ndarray, labels: np.ndarray) -> Detections:
    """Return cells of twenty pixels that look like the objects that they touch."""
    rows, columns = np.mgrid[: HEIGHT // 20, : WIDTH // 20].reshape(2, -1)
    corners = np.stack([columns, rows, columns + 1, rows + 1], axis=1) * 20.0
    low = np.maximum(corners[:, None, :2], objects[None, :, :2])
    high = np.minimum(corners[:, None, 2:], objects[None, :, 2:])
    touched = (high - low).clip(0).prod(axis=2) / 400
    features = np.concatenate(
        [np.full((len(corners), 1), 0.3), touched @ np.eye(4)[labels]], axis=1
    )
    cells = Detections.from_arrays(corners, np.ones(len(corners)), np.zeros(len(corners), int))
    return replace(cells, features=features.astype(np.float16))


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    low = rng.uniform(0, [WIDTH - 60, HEIGHT - 60], (count, 2))
    return np.concatenate([low, low + rng.uniform(20, 60, (count, 2))], axis=1)


def result(name: str) -> dict[str, Any]:
    """Return the revisions of a pipeline's steps, and figures of what it makes of some images."""
    images, truth = pool(name)
    pipeline = fit(LabelPipeline(PIPELINES[name]), images, truth)
    return {
        'revisions': pipeline.revisions,
        'figures': [_figures(apply(pipeline, *each)) for each in images[:SHOWN]],
    }


def _figures(found: Detections) -> list[float]:
    """Return how many boxes there are, and sums that each box moves."""
    weights = np.ones(len(found)) if found.weights is None else found.weights
    votes = np.zeros((len(found), 1)) if found.votes is None else found.votes
    sums = [
        len(found),
        found.scores.sum(),
        (found.scores * (1 + found.labels)).sum(),
        *(found.scores[:, None] * found.boxes).sum(axis=0),
        (votes * np.arange(1, votes.shape[1] + 1)).sum(),
        found.is_ignored.sum(),
        weights.sum(),
    ]
    return [round(float(value), 5) for value in sums]


def changed_without_revision(now: dict[str, Any], before: dict[str, Any]) -> bool:
    """Return whether figures differ where the revisions are the same."""
    alike = np.allclose(now['figures'], before['figures'], rtol=TOLERANCE, atol=TOLERANCE)
    return bool(now['revisions'] == before['revisions'] and not alike)


def main() -> int:
    """Write the file, or name what changed without a new revision."""
    before = json.loads(FILE.read_text(encoding='utf-8')) if FILE.is_file() else {}
    now = {name: result(name) for name in PIPELINES}
    wrong = [n for n in now if n in before and changed_without_revision(now[n], before[n])]
    if wrong:
        print(f'changed without a new revision: {", ".join(wrong)}', file=sys.stderr)
        return 1
    lines = ',\n'.join(f'{json.dumps(name)}: {json.dumps(made)}' for name, made in now.items())
    FILE.write_text(f'{{\n{lines}\n}}\n', encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
