"""LabelPipeline: from what the teachers said of an image to its pseudo-labels."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, LabelContext, LabelTransform, Pool, Truth
from mmcompose.labeling.between_classes.resolve_hierarchy import ResolveHierarchy
from mmcompose.registry import LABEL_TRANSFORMS, build
from mmcompose.structures import Detections
from mmcompose.utils import Mistakes, UserError, fault, file_fingerprint, fingerprint, key_prefix

KEY = 'composition.label_pipeline'

LabelInput = tuple[ByTeacher, LabelContext]


class LabelPipeline:
    """Label transforms in a row.

    Args:
        steps: Config dicts of label transforms. After them one entry must be left: where two
            or more teachers speak, one of them is a fusion.

    Raises:
        UserError: If a step's type or one of its arguments is wrong.
    """

    def __init__(self, steps: Sequence[Mapping[str, Any]]) -> None:
        self.steps: list[LabelTransform] = [
            build(LABEL_TRANSFORMS, step, f'{KEY}[{number}]') for number, step in enumerate(steps)
        ]

    @property
    def code(self) -> str:
        """Fingerprint of the code that the steps run: another version may label otherwise."""
        modules = {type(step).__module__ for step in self.steps}
        own = [getattr(sys.modules[name], '__file__', None) for name in modules]
        files = {*Path(__file__).parent.glob('*.py'), *(Path(file) for file in own if file)}
        return fingerprint(sorted(file_fingerprint(file) for file in files))

    def check(self, class_space: ClassSpace) -> None:
        """Look up every class and teacher that the steps name, before any work starts.

        Raises:
            UserError: With a line for each step that names one that there is not; if the class
                space has a hierarchy, and no step makes use of it.
        """
        mistakes = Mistakes()
        if class_space.hierarchy and not any(isinstance(s, ResolveHierarchy) for s in self.steps):
            mistakes.add(
                fault(
                    'composition.class_space.hierarchy',
                    "is used by dict(type='mmcompose."
                    f"ResolveHierarchy'), which {KEY} lacks; put it before the fusion",
                )
            )
        for number, step in enumerate(self.steps):
            with mistakes, key_prefix(f'{KEY}[{number}]'):
                step.check(class_space)
        mistakes.raise_if_any()

    def without_bands(self) -> LabelPipeline:
        """Return the steps that make scored boxes, without the choice of which to learn from."""
        scored = LabelPipeline([])
        scored.steps = [step for step in self.steps if not step.selects]
        return scored

    def fit(
        self,
        pool: Callable[[], Iterable[LabelInput]],
        labelled: Callable[[], Iterable[LabelInput]] | None = None,
        truth: Truth | None = None,
        covered: Collection[int] | None = None,
    ) -> None:
        """Let each step that learns learn from what the steps before it make of the pool.

        Args:
            pool: Called for a fresh pass over the pool.
            labelled: Called for a fresh pass over the labelled images, where there are any.
            truth: What is in them.
            covered: The classes that the truth tells of. Defaults to all.

        Raises:
            UserError: If a step needs labelled images, and has none to learn from.
        """
        for number, step in enumerate(self.steps):
            if step.wants_truth and labelled is not None:
                with key_prefix(f'{KEY}[{number}]'):
                    step.fit_labelled(self.judged(number, labelled, covered), truth or {})
            elif step.wants_truth and not step.learned:
                raise UserError(
                    fault(
                        f'{KEY}[{number}].learned_file',
                        'is missing, and this step learns from '
                        'labelled images; tools/calibrate.py writes one',
                    )
                )
            elif step.wants_pool:
                with key_prefix(f'{KEY}[{number}]'):
                    step.fit(self.before(number, pool))

    def before(self, number: int, pool: Callable[[], Iterable[LabelInput]]) -> Pool:
        """Return what the steps before one make of a pool; each iteration is a fresh pass.

        Args:
            number: Of the step.
            pool: Called for a fresh pass over the pool.
        """
        return _Stream(pool, self.steps[:number])

    def judged(
        self,
        number: int,
        labelled: Callable[[], Iterable[LabelInput]],
        covered: Collection[int] | None = None,
    ) -> Pool:
        """Return what a step that learns from labelled images is shown of them.

        Args:
            number: Of the step.
            labelled: Called for a fresh pass over the images.
            covered: Boxes of other classes are left out: that the truth has none of them is no
                evidence. Defaults to all.
        """
        return _Stream(labelled, self.steps[:number], covered)

    def up_to(self, number: int) -> LabelPipeline:
        """Return the same steps as far as one, that one included."""
        first = LabelPipeline([])
        first.steps = self.steps[: number + 1]
        return first

    @property
    def learns(self) -> bool:
        """Whether a step learns from the pool."""
        return any(type(step).fit is not LabelTransform.fit for step in self.steps)

    @property
    def learned(self) -> list[dict[str, Any]]:
        """What each step learned, as plain values."""
        return [dict(step.learned) for step in self.steps]

    def describe_learned(self) -> list[str]:
        """Say what each step learned, in lines for a person."""
        return [
            f'{type(step).__name__}: {line}'
            for step in self.steps
            for line in step.describe_learned()
        ]

    def load_learned(self, learned: Sequence[Mapping[str, Any]]) -> None:
        """Take over what an earlier :meth:`fit` learned."""
        for step, values in zip(self.steps, learned, strict=True):
            step.load_learned(values)

    def apply(self, said: ByTeacher, context: LabelContext) -> Detections:
        """Make the pseudo-labels of one image.

        Args:
            said: Detections by teacher name, in the student's classes.
            context: The image and the class space.

        Returns:
            Boxes inside the image, in the student's classes.

        Raises:
            UserError: If a teacher said NaN, or more than one entry is left at the end.
        """
        said = _through(self.steps, said, context)
        if len(said) != 1:
            raise UserError(
                fault(
                    KEY,
                    f'has no fusion, and {len(said)} teachers speak; '
                    f"add dict(type='mmcompose.WeightedBoxesFusion')",
                )
            )
        found = next(iter(said.values()))
        space = context.class_space
        if space.num_classes < len(space.classes):
            found = found[found.labels < space.num_classes]
        return found.clipped(context.width, context.height)


class _Stream:
    """What some steps make of a pool; each iteration is a fresh pass."""

    def __init__(
        self,
        pool: Callable[[], Iterable[LabelInput]],
        steps: Sequence[LabelTransform],
        covered: Collection[int] | None = None,
    ) -> None:
        self._pool = pool
        self._steps = steps
        self._covered = None if covered is None else np.array(sorted(covered), np.int64)

    def __iter__(self) -> Iterator[LabelInput]:
        for said, context in self._pool():
            made = _through(self._steps, said, context)
            if self._covered is not None:
                made = {n: f[np.isin(f.labels, self._covered)] for n, f in made.items()}
            yield made, context


def _through(steps: Iterable[LabelTransform], said: ByTeacher, context: LabelContext) -> ByTeacher:
    for teacher, found in said.items():
        if (reason := found.invalid_reason()) is not None:
            raise UserError(
                fault(
                    f'composition.teachers.{teacher}',
                    f'of image {context.key!r}, {reason}',
                    is_absolute=True,
                )
            )
    for number, step in enumerate(steps):
        # Another step that learns from what this makes is not to blame.
        with key_prefix(f'{KEY}[{number}]', is_absolute=True):
            said = step.apply(said, context)
    return said
