"""LabelMaker: predictions and labels of a pool, from the store or made and stored there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.composition.jobs import Work
from mmcompose.composition.label_inputs import LabelInputs, context_of
from mmcompose.composition.learning import Collecting, learned_from
from mmcompose.composition.owners_by_name import owners_by_name
from mmcompose.composition.pool_files import pool_file
from mmcompose.composition.pool_labels import Labeling, PoolLabels
from mmcompose.composition.prediction_maker import PredictionMaker
from mmcompose.composition.process_state import on_one_thread
from mmcompose.composition.step_images import StepImages
from mmcompose.composition.workers import AnyWorkers
from mmcompose.labeling import ImageContext, LabelInput, LabelPipeline
from mmcompose.store import (
    ImageTable,
    LabelResult,
    LabelStore,
    LearnedResult,
    StepBoxes,
)
from mmcompose.structures import Detections, Image
from mmcompose.utils import content_of, fingerprint, log


@dataclass(frozen=True)
class LabelMaker:
    """What it takes to make labels of a pool.

    Args:
        teachers: What teachers predict.
        weights: ``(T,)`` float64, how much each teacher's vote counts.
        class_space: The student's classes.
        pipeline: The label pipeline, bound to the class space.
        steps: Its config dicts.
        close: Frees the teachers' weights.
        reopen: Makes the same one in another process.
    """

    teachers: PredictionMaker
    weights: NDArray[np.float64]
    class_space: ClassSpace
    pipeline: LabelPipeline
    steps: Sequence[Mapping[str, Any]]
    close: Callable[[], None]
    reopen: Callable[[], LabelMaker]

    @property
    def store(self) -> LabelStore:
        """Where predictions and labels are kept."""
        return self.teachers.store

    def labels(
        self,
        images: Sequence[Image],
        check: Callable[[], None],
        agree: Callable[[Callable[[], Any]], Any] = lambda make: make(),
    ) -> PoolLabels:
        """Return the pseudo-labels of each image, in the student's classes.

        What the store does not hold yet is made, by this process and those beside it. Pictures
        that are stored as unreadable are tried again.

        Args:
            images: The pool.
            check: Called while labels are made; may raise what ends that.
            agree: Returns what a function returns in the first of the processes of a group, plain
                values, to all of them. Defaults to calling it.

        Raises:
            UserError: As :meth:`PredictionMaker.predictions`; if a step that learns from labeled
                images did not.
        """
        pool = ImageTable.of(images)
        again, unreadable = agree(partial(self._look, pool, check))
        result = None if unreadable is None else self.label_result(pool, _by_row(unreadable))
        if result is None or result.read(check) is None or result.read_learned() is None:
            # Before teachers predict for hours.
            self.pipeline.check_learned()
            self.store.begin()
            with self.teachers.make_workers(check=check) as workers:
                made = self.teachers.predictions(pool, workers, with_features=True, again=again)
                for line in owners_by_name(self.class_space, made):
                    log(line)
                self.close()
                if unreadable is None:
                    unreadable = agree(lambda: [*self.teachers.unreadable(pool).items()])
                result = self._make(pool, _by_row(unreadable), workers)
        else:
            self.teachers.report(pool, _by_row(unreadable))
            self.teachers.write_manifests(with_features=True)
            result.write_manifest()
        table, learned = result.read(check), result.read_learned()
        assert table is not None and learned is not None
        log(f'pseudo-labels of {len(pool)} images: {result.path}')
        for line in self.pipeline.with_learned(learned).describe_learned():
            log(line)
        return PoolLabels(table, learned, result.fingerprint)

    def _look(
        self, pool: ImageTable, check: Callable[[], None]
    ) -> tuple[list[int], list[tuple[int, str]] | None]:
        """Return the rows to predict on again, and why others cannot be read.

        The latter is None where that is not known before teachers predict.
        """
        whole = self.label_result(pool)
        if whole.read(check) is not None and whole.read_learned() is not None:
            return [], []
        again = self.teachers.readable_again(pool)
        if again or any(self.teachers.count_missing(pool).values()):
            return again, None
        return [], [*self.teachers.unreadable(pool).items()]

    def _make(
        self, pool: ImageTable, unreadable: Mapping[int, str], workers: AnyWorkers
    ) -> LabelResult:
        """Make labels of what teachers predict, and return where they are."""
        result = self.label_result(pool, unreadable)
        with pool_file(pool, workers.are_here) as listed:
            if result.read_learned() is None:
                with on_one_thread():
                    learned = self._learn(pool, unreadable, listed, workers)
                result.write_learned(learned)
            job = partial(_reopened, LabelMaker._labeling, self.reopen, listed, unreadable)
            workers.run(partial(self._labeling, pool, unreadable), job, 'labels')
        assert result.read(workers.check_others) is not None
        for kept in self._step_boxes(pool, unreadable).values():
            kept.remove()
        return result

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
        return converted, context_of(images, row, cells).with_unasked(converted, space)

    def inputs(self, images: Sequence[Image]) -> LabelInputs:
        """Return what the label pipeline is shown of each image; makes what the store lacks.

        Raises:
            UserError: As :meth:`PredictionMaker.predictions`.
        """
        pool = ImageTable.of(images)
        predictions = self.teachers.predictions(pool, with_features=True)
        cells = self.teachers.cells(pool)
        shown = partial(self.teacher_detections, predictions, pool, cells=cells)
        return LabelInputs(shown, len(pool), self.teachers.unreadable(pool))

    def _learn(
        self,
        images: ImageTable,
        unreadable: Mapping[int, str],
        listed: ImageTable,
        workers: AnyWorkers,
    ) -> list[dict[str, Any]]:
        """Return what the label pipeline learns from a pool, unreadable pictures left out."""
        pipeline = self.pipeline.forget()
        for number in dict.fromkeys(pipeline.rounds):
            result = self._learned_result(images, unreadable, number)
            learned = pipeline.learned
            learned[number] = dict(
                result.read_learned()
                or self._learn_step(images, unreadable, listed, workers, pipeline, number)
            )
            pipeline = pipeline.with_learned(learned)
        return pipeline.learned

    def _learn_step(
        self,
        images: ImageTable,
        unreadable: Mapping[int, str],
        listed: ImageTable,
        workers: AnyWorkers,
        pipeline: LabelPipeline,
        number: int,
    ) -> Mapping[str, Any]:
        """Let all collect what a step learns from, and one learn it."""
        result = self._learned_result(images, unreadable, number)
        last = pipeline.steps[number].rounds - 1
        for turn in range(last + 1):
            task = (unreadable, pipeline.learned, number, turn)
            job = partial(_reopened, LabelMaker._collecting, self.reopen, listed, *task)
            workers.run(partial(self._collecting, images, *task), job, 'the label pipeline learns')
            if turn < last:
                pipeline = pipeline.learn(number, result.read_states(turn))

        def learn() -> Mapping[str, Any]:
            return pipeline.learn(number, result.read_states(last)).steps[number].learned

        learned = learned_from(self.store, result, learn, workers.check_others)
        # Those of earlier rounds stay: another process may be about to read them.
        result.forget_states(last)
        return learned

    def _collecting(
        self,
        images: ImageTable,
        unreadable: Mapping[int, str],
        learned: Sequence[Mapping[str, Any]],
        number: int,
        turn: int,
    ) -> Collecting:
        pipeline = self.pipeline.with_learned(learned)
        result = self._learned_result(images, unreadable, number)
        shown = self._step_images(images, unreadable, pipeline)
        return Collecting(self.store, result, pipeline, number, turn, shown)

    def _step_images(
        self, images: ImageTable, unreadable: Mapping[int, str], pipeline: LabelPipeline
    ) -> StepImages:
        predictions, cells = self.teachers.stored(images), self.teachers.cells(images)

        def predicted(row: int, looks: bool) -> LabelInput:
            return self.teacher_detections(predictions, images, row, cells=cells if looks else None)

        def context(row: int, looks: bool, unasked: tuple[int, ...]) -> ImageContext:
            return context_of(images, row, cells if looks else None, unasked)

        kept = self._step_boxes(images, unreadable)
        return StepImages(pipeline, kept, predicted, context, unreadable)

    def _step_boxes(
        self, images: ImageTable, unreadable: Mapping[int, str]
    ) -> dict[int, StepBoxes]:
        """Return where boxes before each step that learns are kept, by the step's number."""
        made_of = self._made_of(len(self.steps), unreadable)
        numbers = dict.fromkeys(self.pipeline.rounds)
        return {n: self.store.step_boxes({**made_of, 'before': n}, images) for n in numbers}

    def _learned_result(
        self, images: ImageTable, unreadable: Mapping[int, str], number: int
    ) -> LearnedResult:
        """Return where it is kept what a step learned; those behind it do not matter."""
        step = self.pipeline.steps[number]
        collected_of = None
        if step.collects_alike and step.rounds == 1:
            kind = {'collects': self.pipeline.revisions[number], 'right': step.right_iou_thr}
            collected_of = {**self._made_of(number, unreadable), **kind}
        return self.store.learned(self._made_of(number + 1, unreadable), images, collected_of)

    def label_result(
        self, images: ImageTable, unreadable: Mapping[int, str] | None = None
    ) -> LabelResult:
        """Return where the labels of a pool are kept.

        Args:
            images: The pool.
            unreadable: Why some cannot be read, by row: labels that lack them are others. Defaults
                to none.
        """
        return self.store.labels(self._made_of(len(self.steps), unreadable or {}), images)

    def _made_of(self, steps: int, unreadable: Mapping[int, str]) -> dict[str, Any]:
        """Return all that decides what the first steps make of a pool, beside the pool."""
        records = self.teachers.records
        features = self.teachers.features
        space = self.class_space.with_coarse
        return {
            'revisions': self.pipeline.revisions[:steps],
            # Pairs, since a fingerprint does not see the order of keys; votes have one.
            'teachers': [[name, each['identity']] for name, each in records.items()],
            'weights': self.weights,
            'classes': self.class_space.classes,
            'indices': [space.teacher_index(name) for name in records],
            # What steps look up: teachers' classes, dropped ones too, and names in arguments.
            'known': [space.index(space.teacher_classes[name]) for name in records],
            'names': fingerprint(space.names),
            # Pairs: a matrix of all classes would be most of each manifest.
            'hierarchy': np.argwhere(self.class_space.hierarchy.below),
            'label_pipeline': [
                content_of(config, type(step))
                for config, step in zip(self.steps[:steps], self.pipeline.steps, strict=False)
            ],
            'features': None if features is None else features.identity,
            'unreadable': fingerprint(sorted(unreadable)),
        }

    def _labeling(self, images: ImageTable, unreadable: Mapping[int, str]) -> Labeling:
        result = self.label_result(images, unreadable)
        learned = result.read_learned()
        assert learned is not None
        pipeline = self.pipeline.with_learned(learned)
        shown = self._step_images(images, unreadable, pipeline)
        return Labeling(self.store, result, pipeline, shown)


def _by_row(pairs: Sequence[Sequence[Any]]) -> dict[int, str]:
    return {int(row): str(reason) for row, reason in pairs}


def _reopened(work: Callable[..., Work], reopen: Callable[[], LabelMaker], *arguments: Any) -> Work:
    """Return a part of the work of a label maker that is made anew, in another process."""
    return work(reopen(), *arguments)
