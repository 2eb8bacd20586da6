"""Small teachers, images and strategies that the tests of the label pipeline share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import ByTeacher, LabelContext
from mmcompose.structures import Detections

# Deterministic, and without a deadline: the first example compiles.
QUICK = settings(max_examples=40, deadline=None, derandomize=True)
THOROUGH = settings(QUICK, max_examples=300)

WIDTH, HEIGHT = 200, 100

# 'sofa' is known to one teacher, 'cat' to two, 'person' to all three.
TEACHERS = {
    'b': ['person', 'cat'],
    'a': ['cat', 'person', 'sofa'],
    'c': ['person', 'dog'],
}


def context(
    teachers: Mapping[str, Sequence[str]] = TEACHERS,
    weights: Sequence[float] | None = None,
    key: str = 'image',
    **class_space: object,
) -> LabelContext:
    space = ClassSpace(teachers, **class_space)  # type: ignore[arg-type]
    votes = np.ones(len(teachers)) if weights is None else np.array(weights, float)
    return LabelContext(space, votes, key, WIDTH, HEIGHT)


def found(*rows: tuple[Sequence[float], float, int]) -> Detections:
    """Make detections of (box, score, label) rows."""
    boxes, scores, labels = zip(*rows, strict=True) if rows else ((), (), ())
    return Detections.from_arrays(boxes, scores, labels)


def rows(detections: Detections) -> list[tuple[object, ...]]:
    """Return boxes as sortable tuples, without votes."""
    return sorted(
        (*map(float, box), float(score), int(label))
        for box, score, label in zip(
            detections.boxes, detections.scores, detections.labels, strict=True
        )
    )


def permuted(detections: Detections, seed: int) -> Detections:
    return detections[np.random.default_rng(seed).permutation(len(detections))]


@st.composite
def detections(draw: st.DrawFn, labels: Sequence[int], most: int = 8) -> Detections:
    """Boxes on a coarse grid, so that overlaps, ties and repeats are common."""
    count = draw(st.integers(0, most))
    made = []
    for _ in range(count):
        x, y = draw(st.integers(-1, 18)) * 10, draw(st.integers(-1, 8)) * 10
        w, h = draw(st.integers(0, 8)) * 10, draw(st.integers(0, 6)) * 10
        score = draw(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]))
        made.append(([x, y, x + w, y + h], score, draw(st.sampled_from(labels))))
    return found(*made)


@st.composite
def teacher_detections(
    draw: st.DrawFn, teachers: Mapping[str, Sequence[str]] = TEACHERS
) -> ByTeacher:
    """What each teacher says of one image, in the student's classes, its own among them."""
    space = ClassSpace(teachers)
    return {
        teacher: draw(detections([int(i) for i in space.teacher_index(teacher)]))
        for teacher in teachers
    }
