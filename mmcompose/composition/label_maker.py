"""LabelMaker: predictions and labels of a pool, from the store or made and stored there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.composition.features import FEATURES, Features
from mmcompose.composition.jobs import Work
from mmcompose.composition.label_inputs import LabelInputs, context_of
from mmcompose.composition.learning import Collecting, learned_from
from mmcompose.composition.owners_by_name import owners_by_name
from mmcompose.composition.pool_files import pool_file
from mmcompose.composition.pool_labels import Labeling, PoolLabels
from mmcompose.composition.predicting import Predicting
from mmcompose.composition.process_state import on_one_thread
from mmcompose.composition.step_images import StepImages
from mmcompose.composition.unreadable import Unreadable, unreadable_rows
from mmcompose.composition.workers import AnyWorkers
from mmcompose.labeling import ImageContext, LabelInput, LabelPipeline
from mmcompose.store import (
    ImageTable,
    LabelResult,
    LabelStore,
    LearnedResult,
    PictureResults,
    PoolResults,
    StepBoxes,
)
from mmcompose.structures import Detections, Image
from mmcompose.teachers import Teacher
from mmcompose.utils import content_of, log


@dataclass(frozen=True)
class LabelMaker:
    """What it takes to make labels of a pool.

    Args:
        store: Where predictions and labels are kept.
        records: What was read from each teacher, by its name, in their order.
        weights: ``(T,)`` float64, how much each teacher's vote counts.
        class_space: The student's classes.
        pipeline: The label pipeline, bound to the class space.
        steps: Its config dicts.
        make_workers: Returns the processes that make them; see :class:`Workers` for ``check``.
        readers: How many processes read pictures for each of them.
        max_unreadable: Which fraction of a pool's pictures may be unreadable.
        open_teacher: Returns a teacher, by its name.
        close: Frees the teachers' weights.
        check: Called with the names of the teachers that are to predict, and the pool, before they
            do.
        reopen: Makes the same one in another process.
        features: What looks at pictures for the label pipeline; None where it does not compare any.
    """

    store: LabelStore
    records: Mapping[str, Mapping[str, Any]]
    weights: NDArray[np.float64]
    class_space: ClassSpace
    pipeline: LabelPipeline
    steps: Sequence[Mapping[str, Any]]
    make_workers: Callable[..., AnyWorkers]
    readers: int
    max_unreadable: float
    open_teacher: Callable[[str], Teacher]
    close: Callable[[], None]
    check: Callable[[Sequence[str], Sequence[Image]], None]
    reopen: Callable[[], LabelMaker]
    features: Features | None = None

    def predictions(
        self,
        images: Sequence[Image],
        workers: AnyWorkers | None = None,
        with_features: bool = False,
    ) -> dict[str, PoolResults]:
        """Return what each teacher predicts on each image, in its own classes.

        What the store does not hold yet is made, by this process and those beside it.

        Args:
            images: The pool.
            workers: The processes that take part. Defaults to those of
                :attr:`make_workers`.
            with_features: Whether :attr:`features` are made, too, while pictures are decoded. They
                are not returned: see :meth:`cells`. Defaults to False.

        Raises:
            UserError: If a teacher raises it, or too many pictures cannot be read.
        """
        pool = ImageTable.of(images)
        results = self._results(with_features)
        # Only those who still have something to predict need be there.
        absent = [name for name, each in results.items() if each.missing(pool).any()]
        if absent:
            self.store.begin()
            self.check([name for name in absent if name in self.records], pool)
            work = self.store.work_list(pool, results)
            log(f'predicting on {len(work)} images with {", ".join(absent)}, into {self.store}')
            if workers is None:
                with self.make_workers() as own:
                    self._predict(pool, with_features, own)
            else:
                self._predict(pool, with_features, workers)
            work.finish()
        else:
            self.store.work_list(pool, results).finish_if_left()
        made = {name: results[name].of(pool) for name in self.records}
        unreadable = Unreadable(len(pool), self.max_unreadable)
        for each in made.values():
            unreadable.add_all({pool[row].key: why for row, why in each.unreadable().items()})
        unreadable.report()
        return made

    def _predict(self, pool: ImageTable, with_features: bool, workers: AnyWorkers) -> None:
        with pool_file(pool, workers.are_here) as listed:
            job = partial(_reopened, LabelMaker._predicting_too, self.reopen, with_features, listed)
            workers.run(partial(self._predicting, with_features, pool), job, 'teachers predict')

    def cached_predictions(self, images: Sequence[Image]) -> dict[str, PoolResults]:
        """Return those of :meth:`predictions` that the store holds whole; makes none."""
        pool = ImageTable.of(images)
        results = self._prediction_results()
        return {n: each.of(pool) for n, each in results.items() if not each.missing(pool).any()}

    def cells(self, images: ImageTable) -> PoolResults | None:
        """Return what the places of each image look like, None where nobody looked."""
        if self.features is None:
            return None
        return self._results(with_features=True)[FEATURES].of(images)

    def labels(self, images: Sequence[Image], check: Callable[[], None]) -> PoolLabels:
        """Return the pseudo-labels of each image, in the student's classes.

        What the store does not hold yet is made, by this process and those beside it.

        Args:
            images: The pool.
            check: Called while labels are made; may raise what ends that.

        Raises:
            UserError: As :meth:`predictions`; if a step that learns from labeled images did not.
        """
        pool = ImageTable.of(images)
        result = self.label_result(pool)
        table, learned = result.read(), result.read_learned()
        if table is None or learned is None:
            # Before teachers predict for hours.
            self.pipeline.check_learned()
            self.store.begin()
            result = self.label_result(pool)
            with self.make_workers(check=check) as workers:
                made = self.predictions(pool, workers, with_features=True)
                for line in owners_by_name(self.class_space, made):
                    log(line)
                self.close()
                with pool_file(pool, workers.are_here) as listed:
                    if learned is None:
                        with on_one_thread():
                            learned = self._learn(pool, listed, workers)
                        result.write_learned(learned)
                    job = partial(_reopened, LabelMaker._labeling, self.reopen, listed)
                    workers.run(partial(self._labeling, pool), job, 'labels')
            table = result.read()
            assert table is not None
            for kept in self._step_boxes(pool).values():
                kept.remove()
        log(f'pseudo-labels of {len(pool)} images: {result.path}')
        for line in self.pipeline.with_learned(learned).describe_learned():
            log(line)
        return PoolLabels(table, learned, result.fingerprint)

    def teacher_detections(
        self,
        predictions: Mapping[str, Sequence[Detections]],
        images: Sequence[Image],
        row: int,
        class_space: ClassSpace | None = None,
        cells: Sequence[Detections] | None = None,
    ) -> LabelInput:
        """Return what every teacher predicts on one image, in the student's classes.

        Args:
            predictions: Of each teacher, a row an image.
            images: The images.
            row: Which of them.
            class_space: Another class space of the same teachers. Defaults to the student's
                classes, and after them the coarse ones that the student lacks; see
                :attr:`mmcompose.class_space.ClassSpace.with_coarse`.
            cells: What the places of each image look like. Defaults to unknown.
        """
        space = class_space or self.class_space.with_coarse
        converted = {name: space.convert(name, table[row]) for name, table in predictions.items()}
        return converted, context_of(images, row, cells)

    def inputs(self, images: Sequence[Image]) -> LabelInputs:
        """Return what the label pipeline is shown of each image; makes what the store lacks.

        Raises:
            UserError: As :meth:`predictions`.
        """
        pool = ImageTable.of(images)
        predictions = self.predictions(pool, with_features=True)
        cells = self.cells(pool)
        shown = partial(self.teacher_detections, predictions, pool, cells=cells)
        return LabelInputs(shown, len(pool), unreadable_rows(predictions))

    def _learn(
        self, images: ImageTable, listed: ImageTable, workers: AnyWorkers
    ) -> list[dict[str, Any]]:
        """Return what the label pipeline learns from a pool, unreadable pictures left out."""
        pipeline = self.pipeline.forget()
        for number in dict.fromkeys(pipeline.rounds):
            result = self._learned_result(images, number)
            learned = pipeline.learned
            learned[number] = dict(
                result.read_learned() or self._learn_step(images, listed, workers, pipeline, number)
            )
            pipeline = pipeline.with_learned(learned)
        return pipeline.learned

    def _learn_step(
        self,
        images: ImageTable,
        listed: ImageTable,
        workers: AnyWorkers,
        pipeline: LabelPipeline,
        number: int,
    ) -> Mapping[str, Any]:
        """Let all collect what a step learns from, and one learn it."""
        result, last = self._learned_result(images, number), pipeline.steps[number].rounds - 1
        for turn in range(last + 1):
            task = (pipeline.learned, number, turn)
            job = partial(_reopened, LabelMaker._collecting, self.reopen, listed, *task)
            workers.run(partial(self._collecting, images, *task), job, 'the label pipeline learns')
            if turn < last:
                pipeline = pipeline.learn(number, result.read_states(turn))

        def learn() -> Mapping[str, Any]:
            return pipeline.learn(number, result.read_states(last)).steps[number].learned

        learned = learned_from(self.store, result, learn)
        # Those of earlier rounds stay: another process may be about to read them.
        result.forget_states(last)
        return learned

    def _collecting(
        self, images: ImageTable, learned: Sequence[Mapping[str, Any]], number: int, turn: int
    ) -> Collecting:
        pipeline = self.pipeline.with_learned(learned)
        result, shown = self._learned_result(images, number), self._step_images(images, pipeline)
        return Collecting(self.store, result, pipeline, number, turn, shown)

    def _step_images(self, images: ImageTable, pipeline: LabelPipeline) -> StepImages:
        results = self._prediction_results()
        predictions = {name: each.of(images) for name, each in results.items()}
        cells = self.cells(images)

        def predicted(row: int, looks: bool) -> LabelInput:
            return self.teacher_detections(predictions, images, row, cells=cells if looks else None)

        def context(row: int, looks: bool) -> ImageContext:
            return context_of(images, row, cells if looks else None)

        kept = self._step_boxes(images)
        return StepImages(pipeline, kept, predicted, context, unreadable_rows(predictions))

    def _step_boxes(self, images: ImageTable) -> dict[int, StepBoxes]:
        """Return where boxes before each step that learns are kept, by the step's number."""
        made_of = self._made_of(len(self.steps))
        numbers = dict.fromkeys(self.pipeline.rounds)
        return {n: self.store.step_boxes({**made_of, 'before': n}, images) for n in numbers}

    def _learned_result(self, images: ImageTable, number: int) -> LearnedResult:
        """Return where it is kept what a step learned; those behind it do not matter."""
        step = self.pipeline.steps[number]
        collected_of = None
        if step.collects_alike and step.rounds == 1:
            kind = {'collects': self.pipeline.revisions[number]}
            collected_of = {**self._made_of(number), **kind, 'right': step.right_iou_thr}
        return self.store.learned(self._made_of(number + 1), images, collected_of)

    def _prediction_results(self) -> dict[str, PictureResults]:
        return {
            name: self.store.predictions(record['identity'])
            for name, record in self.records.items()
        }

    def _results(self, with_features: bool) -> dict[str, PictureResults]:
        results = self._prediction_results()
        if with_features and self.features is not None:
            results[FEATURES] = self.store.features(self.features.identity)
        return results

    def label_result(self, images: ImageTable) -> LabelResult:
        """Return where the labels of a pool are kept."""
        return self.store.labels(self._made_of(len(self.steps)), images)

    def _made_of(self, steps: int) -> dict[str, Any]:
        """Return all that decides what the first steps make of a pool, beside the pool."""
        return {
            'revisions': self.pipeline.revisions[:steps],
            # Pairs, since a fingerprint does not see the order of keys; votes have one.
            'teachers': [[name, each['identity']] for name, each in self.records.items()],
            'weights': self.weights,
            'classes': self.class_space.classes,
            'indices': [self.class_space.with_coarse.teacher_index(name) for name in self.records],
            # Pairs: a matrix of all classes would be most of each manifest.
            'hierarchy': np.argwhere(self.class_space.hierarchy.below),
            'label_pipeline': [
                content_of(config, type(step))
                for config, step in zip(self.steps[:steps], self.pipeline.steps, strict=False)
            ],
            'features': None if self.features is None else self.features.identity,
        }

    def _predicting(self, with_features: bool, images: ImageTable) -> Predicting:
        results = self._results(with_features)
        work = self.store.work_list(images, results)
        unreadable = Unreadable(len(images), self.max_unreadable)
        teachers = {n: self.open_teacher(n) for n in work.makers if n in self.records}
        if self.features is not None and FEATURES in work.makers:
            teachers[FEATURES] = self.features.open()
        return Predicting(self.store, work, teachers, unreadable, self.readers)

    def _predicting_too(self, with_features: bool, images: ImageTable) -> Predicting:
        """Return the same for a further process, which may begin when others are long at work."""
        work = self._predicting(with_features, images)
        self.check([name for name in work.teachers if name in self.records], images)
        return work

    def _labeling(self, images: ImageTable) -> Labeling:
        result = self.label_result(images)
        learned = result.read_learned()
        assert learned is not None
        pipeline = self.pipeline.with_learned(learned)
        return Labeling(self.store, result, pipeline, self._step_images(images, pipeline))


def _reopened(work: Callable[..., Work], reopen: Callable[[], LabelMaker], *arguments: Any) -> Work:
    """Return a part of the work of a label maker that is made anew, in another process."""
    return work(reopen(), *arguments)
