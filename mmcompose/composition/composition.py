"""Composition: teachers, class space, label pipeline and store, joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from os import PathLike
from typing import Annotated, Any

import numpy as np
from mmengine.dist import get_dist_info
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace, spelled_alike
from mmcompose.composition.check_values import make_checked, plain_values
from mmcompose.composition.features import Features
from mmcompose.composition.given_pool import GivenPool, as_pool
from mmcompose.composition.label_inputs import LabelInputs
from mmcompose.composition.label_maker import LabelMaker
from mmcompose.composition.owners_by_name import owners_by_name
from mmcompose.composition.parts import Parts
from mmcompose.composition.peers import Peers
from mmcompose.composition.pool_labels import PoolLabels
from mmcompose.composition.predicting import ask
from mmcompose.composition.prediction_maker import PredictionMaker
from mmcompose.composition.resources import Resources
from mmcompose.composition.teacher_configs import open_teacher, teacher_record
from mmcompose.composition.workers import AnyWorkers, Workers
from mmcompose.labeling import LabelInput, LabelPipeline
from mmcompose.store import ImageTable, PoolResults
from mmcompose.structures import Detections, Image
from mmcompose.teachers import Teacher
from mmcompose.utils import Count, Range, UserError, fault, warn


class Composition:
    """What a config's ``composition`` joins, and the labels that follow from it.

    Args:
        teachers: A config dict for each teacher, by name; beside the teacher's own arguments
            ``weight`` is how much its vote counts (default 1).
        class_space: Arguments of :class:`mmcompose.class_space.ClassSpace`.
        label_pipeline: Config dicts of label transforms. A config that inherits
            ``_base_/default_compose.py`` gets ``_base_/label_pipelines/default.py``.
        store: Folder of the label store: a local path, or any URL that fsspec reads.
        workers: How many processes label at once on this machine; where GPUs do the work, how
            many read pictures for each GPU. Defaults to one a core. The labels do not depend on it.
        devices: GPUs of this machine that label at once, by number. Defaults to the one of this
            process. Teachers share a GPU.
        max_unreadable: Which fraction of a pool's pictures may be unreadable; they are left out.
            Defaults to 0.01.
        allow: Names of checks whose finds are warnings, where they are errors by default; see
            the list in docs/configuration.md. A config's ``allow`` is added.
        teacher_records: What an earlier :attr:`resolved` read from the teachers, in their order:
            ``[{'name': ..., 'classes': [...], 'identity': ...}]``. Spares opening them where
            their labels are stored.

    Attributes:
        class_space: The student's classes, and each teacher's among them.
        pipeline: The label pipeline. What its steps learn from a pool they have not learned; see
            :meth:`fitted_pipeline`.
        store: Where predictions and labels are kept.
        make_workers: Returns the processes that make labels, e.g. those of a cluster. None for
            this one and those beside it on this machine.
        list_pool: Lists the images of :attr:`pool`; None where it has none.

    Raises:
        UserError: With a line for each mistake in the config.
    """

    def __init__(
        self,
        teachers: Mapping[str, Mapping[str, Any]],
        class_space: Mapping[str, Any] | None = None,
        label_pipeline: Sequence[Mapping[str, Any]] = (),
        store: str | PathLike[str] = 'work_dirs/labels',
        workers: Count | None = None,
        devices: Sequence[int] | None = None,
        max_unreadable: Annotated[float, Range(0, below=1)] = 0.01,
        allow: Sequence[str] = (),
        teacher_records: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        plain = self._plain = plain_values(
            type(self), teachers, class_space=class_space, label_pipeline=label_pipeline,
            store=store, workers=workers, devices=devices, max_unreadable=max_unreadable,
            allow=allow, teacher_records=teacher_records,
        )  # fmt: skip
        records = plain.pop('teacher_records')
        shared = {name: plain[name] for name in ('class_space', 'label_pipeline', 'store', 'allow')}
        parts = Parts.make(teachers, teacher_records=records, **shared)
        self.class_space, self.pipeline, self.store = parts.class_space, parts.pipeline, parts.store
        self._teachers = parts.teachers
        self.list_pool: Callable[[], Sequence[Image]] | None = None
        self.make_workers: Callable[..., AnyWorkers] | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Composition:
        """Make one of a config's ``composition`` dict.

        Raises:
            UserError: With a line for each mistake in it.
        """
        return make_checked(config, cls)

    @property
    def classes(self) -> tuple[str, ...]:
        """The student's classes, in the order of its labels."""
        return self.class_space.classes

    @property
    def teachers(self) -> dict[str, Teacher]:
        """The teachers, by name; no weights are loaded before one predicts."""
        return {name: self._teachers.open(name) for name in self.teacher_records}

    @property
    def teacher_records(self) -> dict[str, Mapping[str, Any]]:
        """What was read from each teacher, by its name."""
        return self._teachers.records

    @property
    def makers(self) -> set[str]:
        """The identities of all that its results are made of: teachers', and of its features."""
        teachers = {each['identity'] for each in self.teacher_records.values()}
        return teachers if self._features is None else {*teachers, self._features.identity}

    @property
    def resolved(self) -> dict[str, Any]:
        """The same config with what was read from the teachers, as plain values."""
        return {
            **self._plain,
            'teachers': self._teachers.configs,
            'class_space': {**self._plain['class_space'], 'classes': list(self.classes)},
            'teacher_records': list(self.teacher_records.values()),
        }

    def __repr__(self) -> str:
        return f'Composition({", ".join(self.teacher_records)}: {len(self.classes)} classes)'

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
        teachers = {**made['teachers'], name: dict(config)}
        records = [*made['teacher_records'], record]
        return Composition.from_config({**made, 'teachers': teachers, 'teacher_records': records})

    def predict(
        self,
        image: Image | str | PathLike[str] | NDArray[np.uint8],
        pipeline: LabelPipeline | None = None,
    ) -> Detections:
        """Return the pseudo-labels of one picture; nothing is stored.

        Args:
            image: An image, a path or URL, or pixels; see :meth:`Image.of`.
            pipeline: What :meth:`fitted_pipeline` returned. Defaults to :attr:`pipeline`, whose
                steps use their defaults where they learn from a pool.

        Returns:
            Boxes in pixels of the picture, labels as indices into :attr:`classes`.

        Raises:
            UserError: If it is no picture, or cannot be read; if a teacher raises it.
        """
        images = [Image.of(image)]
        predictions = {name: ask(name, each, images) for name, each in self.teachers.items()}
        cells = None if self.looker is None else self.looker.predict(images)
        shown = self._maker.teacher_detections(predictions, images, 0, cells=cells)
        return (pipeline or self.pipeline).apply(*shown)

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

    @cached_property
    def _features(self) -> Features | None:
        return Features.of(self.pipeline)

    @cached_property
    def looker(self) -> Teacher | None:
        """What looks at pictures for the label pipeline; None where no step compares looks."""
        return None if self._features is None else self._features.open()

    @cached_property
    def _maker(self) -> LabelMaker:
        return LabelMaker(
            teachers=PredictionMaker(
                store=self.store,
                records=self.teacher_records,
                make_workers=self._workers,
                readers=self._resources.readers,
                max_unreadable=self._plain['max_unreadable'],
                open_teacher=self._teachers.open_to_predict,
                check=self._teachers.check,
                reopen=partial(_teachers_reopened, self._for_another_process),
                features=self._features,
            ),
            weights=self._teachers.weights,
            class_space=self.class_space,
            pipeline=self.pipeline,
            steps=self._plain['label_pipeline'],
            close=self._teachers.close,
            reopen=partial(_reopened, self._for_another_process),
        )

    def _workers(self, **arguments: Any) -> AnyWorkers:
        # Not before they are needed: what makes them may be set after a first prediction.
        if self.make_workers is not None or get_dist_info()[1] > 1:
            self.store.check_shared()
        return (self.make_workers or partial(Workers, self._resources))(**arguments)

    @property
    def _resources(self) -> Resources:
        is_alone = not self.store.location.is_shared
        return Resources(self._plain['workers'], self._plain['devices'], is_alone)

    @property
    def _for_another_process(self) -> dict[str, Any]:
        other = self._resources.of_other()
        return {**self.resolved, 'workers': other.workers, 'devices': other.devices}

    def predictions(self, images: GivenPool) -> dict[str, PoolResults]:
        """Return what each teacher predicts on each image, in its own classes.

        What the store does not hold yet is made, by this process and those beside it.

        Args:
            images: The pool, or paths or URLs of its pictures.

        Raises:
            UserError: If one is of no file, or two have one key; if a teacher raises it, or too
                many pictures cannot be read.
        """
        try:
            return self.prediction_maker.predictions(as_pool(images))
        finally:
            self._teachers.close()

    def label_inputs(self, images: GivenPool, keep_open: bool = False) -> LabelInputs:
        """Return what the label pipeline is shown of each image.

        What the store does not hold yet is made.

        Args:
            images: As :meth:`predictions` takes them.
            keep_open: Whether teachers that predicted here keep their weights loaded, for further
                use. Defaults to False.

        Raises:
            UserError: As :meth:`predictions`.
        """
        try:
            return self._maker.inputs(as_pool(images))
        finally:
            if not keep_open:
                self._teachers.close()

    @property
    def prediction_maker(self) -> PredictionMaker:
        """What predicts on a pool, and knows what of that is stored."""
        return self._maker.teachers

    def owners_by_name(self, images: GivenPool) -> list[str]:
        """Return a line for each teacher that has classes by name alone; it makes no predictions.

        Args:
            images: As :meth:`predictions` takes them.

        Returns:
            The lines; none where predictions of a teacher are not stored.
        """
        stored = self.prediction_maker.cached(as_pool(images))
        is_whole = len(stored) == len(self.teacher_records)
        return owners_by_name(self.class_space, stored) if is_whole else []

    def labels(self, images: GivenPool | None = None) -> PoolLabels:
        """Return the pseudo-labels of each image, in the student's classes.

        What the store does not hold yet is made, by this process and those beside it. All
        processes of a launcher's group call it, and it returns when all have the labels.

        Args:
            images: As :meth:`predictions` takes them. Defaults to :attr:`pool`.

        Raises:
            UserError: As :meth:`predictions`; if a process of the group is lost.
        """
        images = self.pool if images is None else images
        for first, other in spelled_alike(self.class_space):
            warn(
                f'{first!r} and {other!r} are two classes, spelled nearly alike: tie them in '
                'composition.class_space.aliases, or drop one in its mapping'
            )
        try:
            with Peers() as peers:
                pool = ImageTable.of(as_pool(images))
                # Before teachers predict for hours, and when all have the labels.
                peers.meet(self._maker.label_result(pool).fingerprint)
                labels = self._maker.labels(pool, peers.check, peers.agree)
                peers.meet(labels.fingerprint)
                return labels
        finally:
            self._teachers.close()

    def fitted_pipeline(self, images: GivenPool | None = None) -> LabelPipeline:
        """Return the label pipeline with what its steps learn from a pool; see :meth:`labels`."""
        return self.pipeline.with_learned(self.labels(images).learned)

    def teacher_detections(
        self,
        predictions: Mapping[str, Sequence[Detections]],
        images: Sequence[Image],
        row: int,
        class_space: ClassSpace | None = None,
    ) -> LabelInput:
        """See :meth:`LabelMaker.teacher_detections`."""
        return self._maker.teacher_detections(predictions, images, row, class_space)


def _reopened(config: Mapping[str, Any]) -> LabelMaker:
    return Composition.from_config(config)._maker


def _teachers_reopened(config: Mapping[str, Any]) -> PredictionMaker:
    return _reopened(config).teachers
