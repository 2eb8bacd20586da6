"""The parts of a composition: made of its config, fitted to each other, and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmcompose.class_space import ClassSpace
from mmcompose.composition.teacher_group import TeacherGroup
from mmcompose.labeling import ImageContext, LabelPipeline
from mmcompose.store import LabelStore
from mmcompose.structures import Detections
from mmcompose.utils import Mistakes, check_keys, constructor_parameters

# The teachers' own classes are read from them.
_CLASS_SPACE_KEYS = tuple(
    name for name in constructor_parameters(ClassSpace) if name != 'teacher_classes'
)


@dataclass(frozen=True)
class Parts:
    """What a composition joins.

    Args:
        teachers: The teachers.
        class_space: The student's classes.
        pipeline: The label pipeline, bound to both.
        store: Where predictions and labels are kept.
    """

    teachers: TeacherGroup
    class_space: ClassSpace
    pipeline: LabelPipeline
    store: LabelStore

    @classmethod
    def make(
        cls,
        teachers: Mapping[str, Mapping[str, Any]],
        class_space: Mapping[str, Any],
        label_pipeline: Sequence[Mapping[str, Any]],
        store: str,
        allow: Sequence[str],
        teacher_records: Sequence[Mapping[str, Any]] | None,
    ) -> Parts:
        """Make all parts; see :class:`Composition` for the arguments.

        Raises:
            UserError: With a line for each mistake.
        """
        mistakes = Mistakes()
        with mistakes:
            kept_in = LabelStore(store)
        group = TeacherGroup(teachers, teacher_records, mistakes, allow)
        mistakes.add(*check_keys('composition.class_space', class_space, _CLASS_SPACE_KEYS))
        with mistakes:
            pipeline = LabelPipeline(label_pipeline)
        # The class space needs every teacher's classes, the steps' names need the class space.
        if len(group.classes) == len(group.configs):
            with mistakes:
                arguments = {k: class_space[k] for k in _CLASS_SPACE_KEYS if k in class_space}
                space = ClassSpace(group.classes, **arguments)
                if not mistakes:
                    pipeline = pipeline.bind(space.with_coarse, group.weights)
        mistakes.raise_if_any()
        if teacher_records is None:
            _check_one_is_left(pipeline, group.records)
        return cls(group, space, pipeline, kept_in)


def _check_one_is_left(pipeline: LabelPipeline, names: Iterable[str]) -> None:
    """Try the label pipeline on an empty image before the teachers are at work for hours.

    A step that learns from labeled images refuses to work before it saw some.
    """
    if not any(step.right_iou_thr and not step.learned for step in pipeline.steps):
        image = ImageContext('an empty image', 1, 1)
        pipeline.apply({name: Detections() for name in names}, image)
