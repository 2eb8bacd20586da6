"""Composition: teachers, class space, label pipeline and store, joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from os import PathLike
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace, spelled_alike
from mmcompose.composition.check_values import split_problems
from mmcompose.composition.features import Features
from mmcompose.composition.label_inputs import LabelInputs
from mmcompose.composition.label_maker import LabelMaker
from mmcompose.composition.pool_labels import PoolLabels
from mmcompose.composition.predicting import ask
from mmcompose.composition.process_state import free_memory
from mmcompose.composition.teacher_configs import (
    check_teachers,
    open_teacher,
    pop_weight,
    teacher_record,
)
from mmcompose.labeling import ByTeacher, ImageContext, LabelPipeline
from mmcompose.store import LabelStore, PoolResults
from mmcompose.structures import Detections, Image
from mmcompose.teachers import Teacher
from mmcompose.utils import (
    Mistakes,
    UserError,
    check_keys,
    fault,
    warn,
)

_CLASS_SPACE_KEYS = ('classes', 'aliases', 'mapping', 'on_unmapped', 'hierarchy')


class Composition:
    """What a config's ``composition`` says, and the labels that follow from it.

    Args:
        teachers: A config dict for each teacher, by name; beside the teacher's own arguments
            ``weight`` says how much its vote counts (default 1).
        class_space: Arguments of :class:`mmcompose.class_space.ClassSpace`.
        label_pipeline: Config dicts of label transforms.
        store: Folder of the label store: a local path, or any URL that fsspec reads.
        workers: How many processes label at once on this machine. Defaults to one a core, or
            to this one alone where a GPU does the work. The labels do not depend on it.
        max_unreadable: Which fraction of a pool's pictures may be unreadable; they are left out.
            Defaults to 0.01.
        teacher_records: What an earlier :attr:`resolved` read from the teachers, in their order:
            ``[{'name': ..., 'classes': [...], 'identity': ...}]``. Spares opening them where
            their labels are stored.

    Raises:
        UserError: With a line for each mistake in the config.
    """

    def __init__(
        self,
        teachers: Mapping[str, Mapping[str, Any]],
        class_space: Mapping[str, Any] | None = None,
        label_pipeline: Sequence[Mapping[str, Any]] = (),
        store: str = 'work_dirs/labels',
        workers: int | None = None,
        max_unreadable: float = 0.01,
        teacher_records: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        check_teachers(teachers, is_resolved=teacher_records is not None)
        self._is_resolved = teacher_records is not None
        if teacher_records is not None:
            # A dumped config lists keys by the alphabet; votes and weights keep the first order.
            teachers = {each['name']: teachers[each['name']] for each in teacher_records}
        self._configs = {name: dict(config) for name, config in teachers.items()}
        class_space = dict(class_space or {})
        self._plain: dict[str, Any] = {
            'teachers': {name: dict(config) for name, config in teachers.items()},
            'class_space': class_space,
            'label_pipeline': [dict(step) for step in label_pipeline],
            'store': store,
            'workers': workers,
            'max_unreadable': max_unreadable,
        }
        self.list_pool: Callable[[], Sequence[Image]] | None = None
        # The pipeline of the labels that were made last.
        self._fitted: LabelPipeline | None = None
        self._opened: dict[str, Teacher] = {}
        self._has_predicted = False
        mistakes = Mistakes()
        with mistakes:
            self.store = LabelStore(store)
        weights = []
        for name, config in self._configs.items():
            with mistakes:
                weights.append(pop_weight(name, config))
        mistakes.add(*check_keys('composition.class_space', class_space, _CLASS_SPACE_KEYS))
        self.teacher_records: dict[str, Mapping[str, Any]] = {
            each['name']: each for each in teacher_records or ()
        }
        if teacher_records is None:
            with mistakes:
                self.teacher_records = self._read_teachers()
        with mistakes:
            self.pipeline = LabelPipeline(label_pipeline)
        # The class space needs every teacher's classes, the steps' names need the class space.
        if len(self.teacher_records) == len(self._configs):
            with mistakes:
                self.class_space = ClassSpace(
                    {name: self.teacher_records[name]['classes'] for name in self._configs},
                    **{key: class_space[key] for key in _CLASS_SPACE_KEYS if key in class_space},
                )
                self._weights = np.array(weights)
                if not mistakes:
                    space = self.class_space.with_coarse
                    self.pipeline = self.pipeline.bind(space, self._weights)
        mistakes.raise_if_any()
        if not self._is_resolved:
            self._check_one_is_left()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Composition:
        """Make one of a config's ``composition`` dict.

        Raises:
            UserError: With a line for each mistake in it.
        """
        types = get_type_hints(cls.__init__)
        problems, sound = split_problems(config, types)
        if not problems:
            return cls(**config)
        mistakes = Mistakes()
        mistakes.add(*problems)
        # What is right may hold further mistakes.
        if sound:
            with mistakes:
                cls(**sound)
        raise UserError(*mistakes.problems)

    @property
    def resolved(self) -> dict[str, Any]:
        """The same config with what was read from the teachers, as plain values."""
        classes = list(self.class_space.classes)
        return {
            **self._plain,
            'class_space': {**self._plain['class_space'], 'classes': classes},
            'teacher_records': list(self.teacher_records.values()),
        }

    @property
    def teachers(self) -> dict[str, Teacher]:
        """The teachers, by name; no weights are loaded before one predicts."""
        return {name: self._open(name) for name in self._configs}

    def _open(self, name: str) -> Teacher:
        if name not in self._opened:
            self._opened[name] = open_teacher(name, self._configs[name])
        return self._opened[name]

    def _open_to_predict(self, name: str) -> Teacher:
        self._has_predicted = True
        return self._open(name)

    def close(self) -> None:
        """Forget the teachers, and so free their weights; a later use opens them again."""
        self._opened.clear()
        if self._has_predicted:
            free_memory()
        self._has_predicted = False

    def with_teacher(
        self, name: str, config: Mapping[str, Any], record: Mapping[str, Any] | None = None
    ) -> Composition:
        """Return this composition with one more teacher; the others' predictions stay stored.

        Args:
            name: Its name; may be 'student'.
            config: Its config dict, with ``weight``.
            record: What was read from it earlier, as in ``teacher_records`` of
                :class:`Composition`. Defaults to none: it is opened to read it.

        Raises:
            UserError: If it cannot be read, or its classes or name do not fit the class space
                or the label pipeline.
        """
        if record is None:
            record = teacher_record(name, config, open_teacher(name, config))
        made = self.resolved
        return Composition.from_config(
            {
                **made,
                'teachers': {**made['teachers'], name: dict(config)},
                'teacher_records': [*made['teacher_records'], record],
            }
        )

    def _read_teachers(self, names: Iterable[str] | None = None) -> dict[str, Mapping[str, Any]]:
        mistakes = Mistakes()
        records: dict[str, Mapping[str, Any]] = {}
        for name in self._configs if names is None else names:
            with mistakes:
                records[name] = teacher_record(name, self._configs[name], self._open(name))
        mistakes.raise_if_any()
        return records

    def _check_identities(self, names: Iterable[str]) -> None:
        """Check that teachers are still those that a resolved config was made of."""
        if self._is_resolved:
            for name, now in self._read_teachers(names).items():
                if now['identity'] != self.teacher_records[name]['identity']:
                    raise UserError(
                        fault(
                            f'composition.teachers.{name}',
                            'has changed since this config was '
                            'resolved; train from the config that you wrote, not from its dump',
                        )
                    )

    def predict(self, image: Image | str | PathLike[str] | NDArray[np.uint8]) -> Detections:
        """Return the pseudo-labels of one picture; nothing is stored.

        A step that learns from a pool takes what :meth:`labels` or :meth:`fitted_pipeline` let it
        learn, else its defaults.

        Args:
            image: An image, a path or URL, or pixels; see :meth:`Image.of`.

        Returns:
            Boxes in pixels of the picture, labels as indices into :attr:`classes`.
        """
        image, space = Image.of(image), self.class_space.with_coarse
        predicted = {
            name: space.convert(name, ask(name, teacher, [image])[0])
            for name, teacher in self.teachers.items()
        }
        cells = None if self._looker is None else self._looker.predict([image])[0]
        context = ImageContext(image.key, image.width, image.height, cells=cells)
        return (self._fitted or self.pipeline).apply(predicted, context)

    @cached_property
    def pool(self) -> Sequence[Image]:
        """The images that the student of a loaded config learns from; see :func:`mmcompose.load`.

        Raises:
            UserError: If this composition was made without one.
        """
        if self.list_pool is None:
            raise UserError(
                fault('images', 'is missing, and this composition has no pool of its own')
            )
        return self.list_pool()

    @property
    def classes(self) -> tuple[str, ...]:
        """The student's classes, in the order of its labels."""
        return self.class_space.classes

    def __repr__(self) -> str:
        return f'Composition({", ".join(self.teacher_records)}: {len(self.classes)} classes)'

    @cached_property
    def _features(self) -> Features | None:
        return Features.of(self.pipeline)

    @cached_property
    def _looker(self) -> Teacher | None:
        return None if self._features is None else self._features.open()

    @cached_property
    def _maker(self) -> LabelMaker:
        return LabelMaker(
            store=self.store,
            records=self.teacher_records,
            weights=self._weights,
            class_space=self.class_space,
            pipeline=self.pipeline,
            steps=self._plain['label_pipeline'],
            workers=self._plain['workers'],
            max_unreadable=self._plain['max_unreadable'],
            open_teacher=self._open_to_predict,
            close=self.close,
            check=self._check_identities,
            reopen=partial(_maker, self.resolved),
            features=self._features,
        )

    def predictions(
        self, images: Sequence[Image], keep_open: bool = False
    ) -> dict[str, PoolResults]:
        """Return what each teacher predicts on each image, in its own classes.

        What the store does not hold yet is made, by this process and those beside it.

        Args:
            images: The pool.
            keep_open: Whether teachers that predicted here keep their weights loaded, for further
                use. Defaults to False.

        Raises:
            UserError: If a teacher raises it, or too many pictures cannot be read.
        """
        try:
            return self._maker.predictions(images)
        finally:
            if not keep_open:
                self.close()

    def label_inputs(self, images: Sequence[Image], keep_open: bool = False) -> LabelInputs:
        """Return what the label pipeline is shown of each image.

        What the store does not hold yet is made; see :meth:`predictions` for arguments and errors.
        """
        try:
            return self._maker.inputs(images)
        finally:
            if not keep_open:
                self.close()

    def cached_predictions(self, images: Sequence[Image]) -> dict[str, PoolResults]:
        """Return those of :meth:`predictions` that the store holds whole; makes none."""
        return self._maker.cached_predictions(images)

    def labels(self, images: Sequence[Image] | None = None) -> PoolLabels:
        """Return the pseudo-labels of each image, in the student's classes.

        What the store does not hold yet is made, by this process and those beside it.

        Args:
            images: Defaults to :attr:`pool`.

        Raises:
            UserError: As :meth:`predictions`.
        """
        images = self.pool if images is None else images
        for first, other in spelled_alike(self.class_space):
            warn(
                f'{first!r} and {other!r} are two classes, spelled nearly alike: tie them in '
                'composition.class_space.aliases, or drop one in its mapping'
            )
        try:
            labels = self._maker.labels(images)
        finally:
            self.close()
        self._fitted = self.pipeline.with_learned(labels.learned)
        return labels

    def fitted_pipeline(self, images: Sequence[Image]) -> LabelPipeline:
        """Return the label pipeline with what its steps learn from a pool of images."""
        return self.pipeline.with_learned(self.labels(images).learned)

    def teacher_detections(
        self,
        predictions: Mapping[str, Sequence[Detections]],
        images: Sequence[Image],
        row: int,
        class_space: ClassSpace | None = None,
    ) -> tuple[ByTeacher, ImageContext]:
        """Return what every teacher predicts on one image, in the student's classes.

        Args:
            predictions: Of each teacher, a row an image.
            images: The images.
            row: Which of them.
            class_space: Another class space of the same teachers. Defaults to the student's
                classes, and after them the coarse ones that the student lacks; see
                :attr:`mmcompose.class_space.ClassSpace.with_coarse`.
        """
        return self._maker.teacher_detections(predictions, images, row, class_space)

    def _check_one_is_left(self) -> None:
        """Try the label pipeline on an empty image before the teachers are at work for hours.

        What wants labelled images refuses its work before it saw some.
        """
        if not any(step.right_iou_thr and not step.learned for step in self.pipeline.steps):
            image = ImageContext('an empty image', 1, 1)
            self.pipeline.apply({name: Detections() for name in self.teacher_records}, image)


def _maker(config: Mapping[str, Any]) -> LabelMaker:
    return Composition.from_config(config)._maker
