"""Composition: teachers, class space, label pipeline and store, joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from mmengine.dist import get_rank
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace, spelled_alike
from mmcompose.composition.executors import make_shards, run_shares
from mmcompose.composition.identity import content_of
from mmcompose.composition.process_state import preserve_process_state
from mmcompose.composition.teacher_configs import check_teachers, pop_weight, read_teacher
from mmcompose.labeling import ByTeacher, ImageContext, LabelPipeline
from mmcompose.registry import TEACHERS, build
from mmcompose.store import DetectionTable, ShardedResult
from mmcompose.structures import Detections, Image
from mmcompose.teachers import Teacher
from mmcompose.utils import (
    Mistakes,
    UserError,
    check_keys,
    check_types,
    check_writable,
    fault,
    key_prefix,
    log,
    problem,
    warn,
)

LEARNED = 'learned.json'
_KEYS = ('teachers', 'class_space', 'label_pipeline', 'store', 'workers', 'known')
_CLASS_SPACE_KEYS = ('classes', 'aliases', 'mapping', 'on_unmapped', 'hierarchy')


class Composition:
    """What a config's ``composition`` says, and the labels that follow from it.

    Args:
        teachers: A config dict for each teacher, by name; beside the teacher's own arguments
            ``weight`` says how much its vote counts (default 1).
        class_space: Arguments of :class:`mmcompose.class_space.ClassSpace`.
        label_pipeline: Config dicts of label transforms.
        store: Folder of the label store.
        workers: How many processes label at once on this machine. Defaults to one a core, or
            to this one alone where a GPU does the work. The labels do not depend on it.
        known: What an earlier :attr:`resolved` read from the teachers, in their order:
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
        known: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        check_teachers(teachers, is_resolved=known is not None)
        self._is_resolved = known is not None
        if known is not None:
            # A dumped config lists keys by the alphabet; votes and weights keep the first order.
            teachers = {each['name']: teachers[each['name']] for each in known}
        self._configs = {name: dict(config) for name, config in teachers.items()}
        class_space = dict(class_space or {})
        self._plain = {
            'teachers': {name: dict(config) for name, config in teachers.items()},
            'class_space': class_space,
            'label_pipeline': [dict(step) for step in label_pipeline],
            'store': store,
            'workers': workers,
        }
        self._store = Path(store)
        self.list_pool: Callable[[], Sequence[Image]] | None = None
        self._workers = workers
        mistakes = Mistakes()
        weights = []
        for name, config in self._configs.items():
            with mistakes:
                weights.append(pop_weight(name, config))
        mistakes.add(*check_keys('composition.class_space', class_space, _CLASS_SPACE_KEYS))
        self._known: dict[str, Mapping[str, Any]] = {each['name']: each for each in known or ()}
        if known is None:
            with mistakes:
                self._known = self._read_teachers()
        with mistakes:
            self.pipeline = LabelPipeline(label_pipeline)
        # The class space needs every teacher's classes, the steps' names need the class space.
        if len(self._known) == len(self._configs):
            with mistakes:
                self.class_space = ClassSpace(
                    {name: self._known[name]['classes'] for name in self._configs},
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
        if problems := check_keys('composition', config, _KEYS, ['teachers']):
            raise UserError(*problems)
        # Teachers are looked at one by one, by what they are.
        types = {**get_type_hints(cls.__init__), 'teachers': Any}
        problems = check_types('composition', config, types)
        class_space = config.get('class_space') or {}
        if not problems:
            types = get_type_hints(ClassSpace.__init__)
            problems = check_types('composition.class_space', class_space, types)
        workers = config.get('workers')
        if workers is not None and not problems and workers < 1:
            problems = [problem('composition.workers', workers, 'is not a number from 1 up')]
        if problems:
            raise UserError(*problems)
        return cls(**config)

    @property
    def resolved(self) -> dict[str, Any]:
        """The same config with what was read from the teachers, as plain values."""
        classes = list(self.class_space.classes)
        return {
            **self._plain,
            'class_space': {**self._plain['class_space'], 'classes': classes},
            'known': list(self._known.values()),
        }

    @cached_property
    def teachers(self) -> dict[str, Teacher]:
        """The teachers, by name; no weights are loaded before one predicts."""
        return {name: self._build_teacher(name) for name in self._configs}

    def _build_teacher(self, name: str) -> Teacher:
        teacher: Teacher = build(TEACHERS, self._configs[name], f'composition.teachers.{name}')
        return teacher

    def with_teacher(
        self, name: str, config: Mapping[str, Any], known: Mapping[str, Any] | None = None
    ) -> Composition:
        """Return this composition with one more teacher; what the others said stays stored.

        Args:
            name: Its name; may be 'student'.
            config: Its config dict, with ``weight``.
            known: What was read from it earlier, as in ``known`` of :class:`Composition`.
                Defaults to none: it is opened to read it.

        Raises:
            UserError: If it cannot be read, or its classes or name do not fit the class space
                or the label pipeline.
        """
        if known is None:
            known = read_teacher(name, config)
        made = self.resolved
        return Composition.from_config(
            {
                **made,
                'teachers': {**made['teachers'], name: dict(config)},
                'known': [*made['known'], known],
            }
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
            name: space.convert(name, _ask(name, teacher, [image])[0])
            for name, teacher in self.teachers.items()
        }
        context = ImageContext(image.key, image.width, image.height)
        return self.pipeline.apply(predicted, context)

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
        return f'Composition({", ".join(self._known)}: {len(self.classes)} classes)'

    @property
    def known(self) -> dict[str, Mapping[str, Any]]:
        """What was read from each teacher: its name, classes and identity."""
        return dict(self._known)

    def _read_teachers(self, names: Iterable[str] | None = None) -> dict[str, Mapping[str, Any]]:
        mistakes = Mistakes()
        known: dict[str, Mapping[str, Any]] = {}
        for name in self._configs if names is None else names:
            with mistakes:
                known[name] = read_teacher(name, self._configs[name])
        mistakes.raise_if_any()
        return known

    def _check_identities(self, names: Iterable[str]) -> None:
        """Check that teachers are still those that a resolved config was made of."""
        if self._is_resolved:
            for name, now in self._read_teachers(names).items():
                if now['identity'] != self._known[name]['identity']:
                    raise UserError(
                        fault(
                            f'composition.teachers.{name}',
                            'has changed since this config was '
                            'resolved; train from the config that you wrote, not from its dump',
                        )
                    )

    def predictions(self, images: Sequence[Image]) -> dict[str, DetectionTable]:
        """Return what each teacher says of each image, in its own classes.

        What the store does not hold yet is made, by this process and those beside it.
        """
        results = self._prediction_results(images)
        missing = {shard for result in results.values() for shard in result.missing()}
        if missing:
            check_writable('composition.store', self._store, folder=True)
            # Only those who still have something to say need be there.
            absent = [name for name, result in results.items() if result.missing()]
            self._check_identities(absent)
            for name in absent:
                with key_prefix(f'composition.teachers.{name}'):
                    self.teachers[name].check_pool(images)
            log(f'{", ".join(absent)} predict on {len(images)} images, into {self._store}')
            share = partial(_predict_share, self.resolved, images)
            run_shares(share, self._workers, len(missing))
        for result in results.values():
            result.wait()
        return {name: result.read() for name, result in results.items()}

    def cached_predictions(self, images: Sequence[Image]) -> dict[str, DetectionTable]:
        """Return those of :meth:`predictions` that the store holds whole; makes none."""
        results = self._prediction_results(images)
        return {name: result.read() for name, result in results.items() if not result.missing()}

    def labels(self, images: Sequence[Image] | None = None) -> DetectionTable:
        """Return the pseudo-labels of each image, in the student's classes.

        What the store does not hold yet is made, by this process and those beside it.

        Args:
            images: Defaults to :attr:`pool`.
        """
        images = self.pool if images is None else images
        for first, other in spelled_alike(self.class_space):
            warn(
                f'{first!r} and {other!r} are two classes, spelled nearly alike: tie them in '
                'composition.class_space.aliases, or drop one in its mapping'
            )
        result = self._label_result(images)
        if missing := result.missing():
            check_writable('composition.store', self._store, folder=True)
            predictions = self.predictions(images)
            if get_rank() == 0 and not result.has_json(LEARNED):
                with preserve_process_state():
                    result.write_json(LEARNED, self._fit(images, predictions))
            share = partial(_label_share, self.resolved, images)
            run_shares(share, self._workers, len(missing))
        result.wait()
        log(f'pseudo-labels of {len(images)} images: {result.folder}')
        if result.has_json(LEARNED):
            self.pipeline = self.pipeline.with_learned(result.read_json(LEARNED))
            for line in self.pipeline.describe_learned():
                log(line)
        return result.read()

    def fitted_pipeline(self, images: Sequence[Image]) -> LabelPipeline:
        """Return the label pipeline with what its steps learned from a pool of images."""
        self.labels(images)
        return self.pipeline

    def teacher_detections(
        self,
        predictions: Mapping[str, DetectionTable],
        images: Sequence[Image],
        row: int,
        class_space: ClassSpace | None = None,
    ) -> tuple[ByTeacher, ImageContext]:
        """Return what every teacher said of one image, in the student's classes.

        Args:
            predictions: Of each teacher, a row an image.
            images: The images.
            row: Which of them.
            class_space: Another class space of the same teachers. Defaults to the student's
                classes, and after them the coarse ones that the student lacks; see
                :attr:`mmcompose.class_space.ClassSpace.with_coarse`.
        """
        image, space = images[row], class_space or self.class_space.with_coarse
        context = ImageContext(image.key, image.width, image.height)
        converted = {name: space.convert(name, table[row]) for name, table in predictions.items()}
        return converted, context

    def _check_one_is_left(self) -> None:
        """Try the label pipeline on an empty image before the teachers are at work for hours.

        What wants labelled images refuses its work before it saw some.
        """
        if not any(step.right_iou_thr and not step.learned for step in self.pipeline.steps):
            image = ImageContext('an empty image', 1, 1)
            self.pipeline.apply({name: Detections() for name in self._known}, image)

    def _fit(
        self, images: Sequence[Image], predictions: Mapping[str, DetectionTable]
    ) -> list[dict[str, Any]]:
        fitted = self.pipeline.fit(
            lambda: (self.teacher_detections(predictions, images, r) for r in range(len(images)))
        )
        return fitted.learned

    def _prediction_results(self, images: Sequence[Image]) -> dict[str, ShardedResult]:
        return {
            name: ShardedResult(self._store, 'predictions', {'teacher': known['identity']}, images)
            for name, known in self._known.items()
        }

    def _label_result(self, images: Sequence[Image]) -> ShardedResult:
        made_of = {
            'revisions': self.pipeline.revisions,
            # Pairs, since a fingerprint does not see the order of keys; votes have one.
            'teachers': [[name, known['identity']] for name, known in self._known.items()],
            'weights': self._weights,
            'classes': self.class_space.classes,
            'indices': [self.class_space.with_coarse.teacher_index(name) for name in self._known],
            'hierarchy': self.class_space.hierarchy.below,
            'label_pipeline': content_of(self._plain['label_pipeline']),
        }
        return ShardedResult(self._store, 'labels', made_of, images)


def _predict_share(
    config: Mapping[str, Any], images: Sequence[Image], rank: int, world_size: int
) -> None:
    # A composition of its own, so that the teachers' weights go when the share is done.
    composition = Composition.from_config(config)
    every = composition._prediction_results(images)
    results = {name: result for name, result in every.items() if result.missing()}
    produce = {name: partial(_ask, name, composition._build_teacher(name)) for name in results}
    make_shards(results, produce, rank, world_size, 'teachers predict')


def _ask(name: str, teacher: Teacher, images: Sequence[Image]) -> list[Detections]:
    with key_prefix(f'composition.teachers.{name}'):
        return teacher.predict(images)


def _label_share(
    config: Mapping[str, Any], images: Sequence[Image], rank: int, world_size: int
) -> None:
    composition = Composition.from_config(config)
    result = composition._label_result(images)
    pipeline = composition.pipeline.with_learned(result.read_json(LEARNED))
    predictions = composition.predictions(images)
    rows = {image.key: row for row, image in enumerate(images)}

    def produce(chunk: Sequence[Image]) -> list[Detections]:
        return [
            pipeline.apply(*composition.teacher_detections(predictions, images, rows[image.key]))
            for image in chunk
        ]

    make_shards({'labels': result}, {'labels': produce}, rank, world_size, 'labels')
