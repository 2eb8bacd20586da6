"""LabelPipeline: from the detections of several teachers in an image to its pseudo-labels."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, ImageContext, LabelInput, LabelStream, LabelTransform
from mmcompose.labeling.between_classes.resolve_hierarchy import ResolveHierarchy
from mmcompose.labeling.compute.revisions import revisions_of
from mmcompose.labeling.compute.state import State
from mmcompose.registry import LABEL_TRANSFORMS, build
from mmcompose.structures import Detections
from mmcompose.utils import Mistakes, UserError, fault, key_prefix

KEY = 'composition.label_pipeline'
# Of states of parts that a step learns from.
_MERGED_AT_ONCE = 32


class LabelPipeline:
    """Label transforms in a row. It never changes: to bind or to fit it makes another one.

    Args:
        steps: Config dicts of label transforms, or transforms. After them one entry must be
            left: of two or more teachers' detections, one of them makes a fusion.

    Raises:
        UserError: If a step's type or one of its arguments is wrong.
    """

    def __init__(self, steps: Sequence[Mapping[str, Any] | LabelTransform]) -> None:
        self.steps: tuple[LabelTransform, ...] = tuple(
            step
            if isinstance(step, LabelTransform)
            else build(LABEL_TRANSFORMS, step, f'{KEY}[{number}]')
            for number, step in enumerate(steps)
        )
        self._class_space: ClassSpace | None = None

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> LabelPipeline:
        """Return the same steps, bound to classes and teachers; before any image.

        Args:
            class_space: The student's classes, after them coarse ones that it lacks.
            weights: ``(T,)`` float64, how much each teacher's vote counts.

        Raises:
            UserError: With a line for each step that names a class or teacher that there is not;
                if the class space has a hierarchy, and no step makes use of it.
        """
        bound = self._copy()
        mistakes = Mistakes()
        if class_space.hierarchy and not any(isinstance(s, ResolveHierarchy) for s in self.steps):
            expected = (
                "is used by dict(type='mmcompose.ResolveHierarchy'), which "
                f'{KEY} lacks; put it before the fusion'
            )
            mistakes.add(fault('composition.class_space.hierarchy', expected, is_absolute=True))
        for number, step in enumerate(bound.steps):
            with mistakes, key_prefix(f'{KEY}[{number}]'):
                step.bind(class_space, weights)
        mistakes.raise_if_any()
        bound._class_space = class_space
        return bound

    def without_bands(self) -> LabelPipeline:
        """Return the steps that make scored boxes, without the choice of which to learn from."""
        return self._with(step for step in self.steps if not step.selects)

    def up_to(self, number: int) -> LabelPipeline:
        """Return the same steps as far as one, that one included."""
        return self._with(self.steps[: number + 1])

    @property
    def revisions(self) -> list[Any]:
        """What addresses the code of each step; see :func:`revisions_of`."""
        return [revisions_of(step) for step in self.steps]

    @property
    def rounds(self) -> list[int]:
        """The number of each step that learns from the pool, as often as it has rounds."""
        return [
            number
            for number, step in enumerate(self.steps)
            for _ in range(step.rounds if step.right_iou_thr is None else 0)
        ]

    def fit(
        self,
        pool: Callable[[], Iterable[LabelInput]],
        labeled: Callable[[], Iterable[LabelInput]] | None = None,
        covered: Collection[int] | None = None,
    ) -> LabelPipeline:
        """Return the pipeline after each step learned from what those before it make of images.

        Args:
            pool: Called for a fresh pass over the pool.
            labeled: Called for a fresh pass over labeled images, which carry their truth, where
                there are any.
            covered: The classes that the truth holds. Defaults to all.

        Raises:
            UserError: If a step needs labeled images, and has none to learn from.
        """
        if labeled is None:
            self.check_learned()
        fitted = self._copy()
        for number, step in enumerate(fitted.steps):
            if not step.rounds:
                continue
            if step.right_iou_thr is None:
                stream = fitted.before(number, pool)
            elif labeled is not None:
                stream = fitted.before(number, labeled, covered)
            else:
                continue
            with key_prefix(f'{KEY}[{number}]'):
                step.fit(stream)
        return fitted

    def check_learned(self) -> None:
        """Check that all steps that learn from labeled images did so.

        Raises:
            UserError: With a line for each that did not.
        """
        expected = (
            'is missing, and this step learns from labeled images; mmcompose calibrate writes one'
        )
        problems = [
            fault(f'{KEY}[{number}].learned_file', expected, is_absolute=True)
            for number, step in enumerate(self.steps)
            if step.rounds and step.right_iou_thr is not None and not step.learned
        ]
        if problems:
            raise UserError(*problems)

    def collect(
        self, number: int, part: Callable[[], Iterable[LabelInput]], begin: int = 0
    ) -> State:
        """Return what a step collects of a part of the pool; see :attr:`rounds`.

        Args:
            number: Of the step; those before it have learned.
            part: Called for a pass over the images of the part.
            begin: They are as the steps before this one made them. Defaults to 0, as teachers
                predict.
        """
        with key_prefix(f'{KEY}[{number}]'):
            return self.steps[number].collect(self.before(number, part, begin=begin))

    def learn(self, number: int, states: Iterable[State]) -> LabelPipeline:
        """Return the pipeline after a step learned from the states of all parts, in their order.

        Not all of them are in memory at once, but some and what these before were merged to.

        :meth:`fit` is this and :meth:`collect` by turns for each of :attr:`rounds`, if nothing
        was learned before: :meth:`forget`.
        """
        learned = self._copy()
        step = learned.steps[number]
        with key_prefix(f'{KEY}[{number}]'):
            rest = iter(states)
            merged = step.merge(list(islice(rest, _MERGED_AT_ONCE)))
            while some := list(islice(rest, _MERGED_AT_ONCE)):
                merged = step.merge([merged, *some])
            step.learn(merged)
        return learned

    def forget(self) -> LabelPipeline:
        """Return the pipeline without what was learned from a pool."""
        fresh = self._copy()
        for number in fresh.rounds:
            fresh.steps[number].load_learned({})
        return fresh

    def before(
        self,
        number: int,
        images: Callable[[], Iterable[LabelInput]],
        covered: Collection[int] | None = None,
        begin: int = 0,
    ) -> LabelStream:
        """Return what the steps before one make of images; each iteration is a fresh pass.

        Args:
            number: Of the step.
            images: Called for a fresh pass over them.
            covered: Boxes of other classes are left out: that the truth has none of them is no
                evidence. Defaults to all.
            begin: The images are as the steps before this one made them. Defaults to 0.
        """
        return _Stream(images, self.steps[begin:number], covered, begin)

    @property
    def learned(self) -> list[dict[str, Any]]:
        """What each step learned, as plain values."""
        return [dict(step.learned) for step in self.steps]

    def with_learned(self, learned: Sequence[Mapping[str, Any]]) -> LabelPipeline:
        """Return the pipeline with what an earlier :meth:`fit` learned.

        Raises:
            UserError: If that does not fit the class space.
        """
        loaded = self._copy()
        for number, (step, values) in enumerate(zip(loaded.steps, learned, strict=True)):
            with key_prefix(f'{KEY}[{number}]'):
                step.load_learned(values)
        return loaded

    def describe_learned(self) -> list[str]:
        """Return what each step learned, in lines for a person."""
        return [
            f'{type(step).__name__}: {line}'
            for step in self.steps
            for line in step.describe_learned()
        ]

    def apply(self, detections: ByTeacher, image: ImageContext, begin: int = 0) -> Detections:
        """Make the pseudo-labels of one image.

        Args:
            detections: By teacher name, in the student's classes; finite, scores in [0, 1].
            image: The image that they are of.
            begin: They are as the steps before this one made them. Defaults to 0.

        Returns:
            Boxes inside the image, in the student's classes.

        Raises:
            UserError: If more than one entry is left at the end.
        """
        made, _ = _through(self.steps[begin:], detections, image, begin)
        if len(made) != 1:
            expected = (
                f'has no fusion, and {len(made)} teachers predict; '
                "add dict(type='mmcompose.WeightedBoxesFusion')"
            )
            raise UserError(fault(KEY, expected, is_absolute=True))
        found = next(iter(made.values()))
        space = self._class_space
        if space is not None and space.num_classes < len(space.classes):
            found = found[found.labels < space.num_classes]
        return found.clipped(image.width, image.height)

    def _copy(self) -> LabelPipeline:
        # No step changes in place what it was given or what it learned.
        return self._with(copy.copy(step) for step in self.steps)

    def _with(self, steps: Iterable[LabelTransform]) -> LabelPipeline:
        other = copy.copy(self)
        other.steps = tuple(steps)
        return other


class _Stream:
    """What some steps make of images; each iteration is a fresh pass."""

    def __init__(
        self,
        images: Callable[[], Iterable[LabelInput]],
        steps: Sequence[LabelTransform],
        covered: Collection[int] | None = None,
        begin: int = 0,
    ) -> None:
        self._images = images
        self._steps = steps
        self._begin = begin
        self._covered = None if covered is None else np.array(sorted(covered), np.int64)

    def __iter__(self) -> Iterator[LabelInput]:
        for detections, image in self._images():
            made, image = _through(self._steps, detections, image, self._begin)
            if self._covered is not None:
                made = {n: f[np.isin(f.labels, self._covered)] for n, f in made.items()}
            yield made, image


def _through(
    steps: Sequence[LabelTransform], detections: ByTeacher, image: ImageContext, begin: int
) -> LabelInput:
    """Return what steps make of an image, and its context, which knows who did not predict."""
    if steps:
        image = image.with_unasked(detections, steps[0].class_space)
    for number, step in enumerate(steps, start=begin):
        try:
            detections = step.apply(detections, image)
        except UserError:
            # Another step that learns from what this makes is not to blame.
            with key_prefix(f'{KEY}[{number}]', is_absolute=True):
                raise
    return detections, image
