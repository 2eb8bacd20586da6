"""Made-up teachers that look at made-up objects, and fail in known images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling import ByTeacher
from mmcompose.structures import Detections
from tests.labeling.toys import HEIGHT, WIDTH, Scene, scene

ALIKE = {name: ['person', 'cat'] for name in 'abc'}


class World(NamedTuple):
    """What teachers say of some images.

    Args:
        pool: By image.
        bad: ``(N,)`` bool, the images in which the spoiled teacher fails.
    """

    pool: list[tuple[ByTeacher, Scene]]
    bad: NDArray[np.bool_]


def world(
    teachers: Mapping[str, Sequence[str]] = ALIKE,
    sees: Mapping[str, float] | None = None,
    spoiled: str | None = None,
    failing: float = 0.5,
    silent: bool = False,
    scale: Mapping[str, float] | None = None,
    images: int = 120,
    seed: int = 0,
) -> World:
    """Let each teacher see a share of the same four objects of an image.

    Args:
        teachers: By name its classes.
        sees: By teacher the share of objects that it finds. Defaults to 0.9.
        spoiled: Who says random boxes, or nothing, of some images.
        failing: Of which share of them.
        silent: Whether it then says nothing.
        scale: By teacher a factor on its scores.
        images: How many there are.
        seed: Of all that is random.
    """
    rng = np.random.default_rng(seed)
    where = scene(teachers)
    bad = rng.random(images) < (failing if spoiled else 0)
    pool: list[tuple[ByTeacher, Scene]] = []
    for is_bad in bad:
        objects, labels = _boxes(rng), rng.integers(0, 2, 4)
        said = {}
        for name in teachers:
            fails = is_bad and name == spoiled
            boxes = _boxes(rng) if fails else objects + rng.normal(0, 1, objects.shape)
            kept = rng.random(4) < (sees or {}).get(name, 0.9)
            kept &= np.isin(labels, where.class_space.teacher_index(name))
            scores = rng.uniform(0.4, 0.9, 4) * (scale or {}).get(name, 1.0)
            said[name] = Detections.from_arrays(boxes[kept], scores[kept], labels[kept])
            if fails and silent:
                said[name] = Detections()
        pool.append((said, where))
    return World(pool, bad)


def _boxes(rng: np.random.Generator) -> NDArray[np.float64]:
    low = rng.uniform(0, [WIDTH - 50, HEIGHT - 50], (4, 2))
    return np.concatenate([low, low + rng.uniform(20, 50, (4, 2))], axis=1)
