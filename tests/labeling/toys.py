"""Small teachers, images and strategies that the tests of the label pipeline share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import ByTeacher, ImageContext, LabelPipeline, LabelTransform
from mmcompose.registry import LABEL_TRANSFORMS, build
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


class Scene(NamedTuple):
    """Teachers with their weights, and an image that they look at."""

    class_space: ClassSpace
    weights: NDArray[np.float64]
    image: ImageContext


def scene(
    teachers: Mapping[str, Sequence[str]] = TEACHERS,
    weights: Sequence[float] | None = None,
    key: str = 'image',
    truth: Detections | None = None,
    **class_space: object,
) -> Scene:
    space = ClassSpace(teachers, **class_space)  # type: ignore[arg-type]
    votes = np.ones(len(teachers)) if weights is None else np.array(weights, float)
    return Scene(space, votes, ImageContext(key, WIDTH, HEIGHT, truth))


Pool = Sequence[tuple[ByTeacher, Scene]]
Step = TypeVar('Step', LabelTransform, LabelPipeline)


def built(kind: type[LabelTransform], **arguments: Any) -> LabelTransform:
    """Build a step as a pipeline does, with all checks of its arguments."""
    step: LabelTransform = build(LABEL_TRANSFORMS, {'type': kind, **arguments}, 'step')
    return step


def bind(step: Step, at: Scene) -> Step:
    """Return a step, or a pipeline, that is bound to the teachers of a scene."""
    if isinstance(step, LabelPipeline):
        return step.bind(at.class_space, at.weights)
    step.bind(at.class_space, at.weights)
    return step


def apply(step: LabelTransform | LabelPipeline, detections: ByTeacher, at: Scene) -> Any:
    """Bind a step, or a pipeline, and apply it to one image."""
    return bind(step, at).apply(detections, at.image)


def fit(step: Step, pool: Pool, truth: Mapping[str, Detections] | None = None) -> Step:
    """Return a step, or a pipeline, that learned from the images of a pool.

    Args:
        step: A step learns in place.
        pool: Their detections.
        truth: By key of the image its true boxes.
    """
    step = bind(step, pool[0][1])
    images = [(each, at.image) for each, at in pool]
    labeled = None
    if truth is not None:
        labeled = [(each, replace(at, truth=truth.get(at.key))) for each, at in images]
    if isinstance(step, LabelPipeline):
        return step.fit(lambda: images, None if labeled is None else lambda: labeled)
    step.fit(images if labeled is None else labeled)
    return step


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
