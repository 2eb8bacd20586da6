"""PredictionMaker: what teachers predict on a pool, from the store or made and stored there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mmcompose.composition.features import FEATURES, Features
from mmcompose.composition.pool_files import pool_file
from mmcompose.composition.predicting import Predicting
from mmcompose.composition.unreadable import Unreadable, readable_now
from mmcompose.composition.workers import AnyWorkers
from mmcompose.store import ImageTable, LabelStore, PictureResults, PoolResults
from mmcompose.structures import Image
from mmcompose.teachers import Teacher
from mmcompose.utils import log


@dataclass(frozen=True)
class PredictionMaker:
    """What it takes to predict on a pool.

    Args:
        store: Where predictions are kept.
        records: What was read from each teacher, by its name, in their order.
        make_workers: Returns the processes that make them; see :class:`Workers` for ``check``.
        readers: How many processes read pictures for each of them.
        max_unreadable: Which fraction of a pool's pictures may be unreadable.
        open_teacher: Returns a teacher, by its name.
        check: Called with the names of the teachers that are to predict, and the pool, before they
            do.
        reopen: Makes the same one in another process.
        features: What looks at pictures for the label pipeline; None where it does not compare any.
    """

    store: LabelStore
    records: Mapping[str, Mapping[str, Any]]
    make_workers: Callable[..., AnyWorkers]
    readers: int
    max_unreadable: float
    open_teacher: Callable[[str], Teacher]
    check: Callable[[Sequence[str], Sequence[Image]], None]
    reopen: Callable[[], PredictionMaker]
    features: Features | None = None

    def predictions(
        self,
        images: Sequence[Image],
        workers: AnyWorkers | None = None,
        with_features: bool = False,
        again: Sequence[int] | None = None,
    ) -> dict[str, PoolResults]:
        """Return what each teacher predicts on each image, in its own classes.

        What the store does not hold yet is made, by this process and those beside it; so is what
        is stored as unreadable, and can be read now.

        Args:
            images: The pool.
            workers: The processes that take part. Defaults to those of
                :attr:`make_workers`.
            with_features: Whether :attr:`features` are made, too, while pictures are decoded. They
                are not returned: see :meth:`cells`. Defaults to False.
            again: Rows of images that are stored as unreadable, and are tried again. Defaults to
                :meth:`readable_again`.

        Raises:
            UserError: If a teacher raises it, or too many pictures cannot be read.
        """
        pool = ImageTable.of(images)
        results = self._results(with_features)
        if again is None:
            again = self.readable_again(pool, with_features)
        # Only those who still have something to predict need be there.
        tried = pool.take(np.array(again, np.int64))
        absent = [
            name
            for name, each in results.items()
            if each.missing(pool).any() or each.unreadable(tried).any()
        ]
        if absent:
            self.store.begin()
            self.check([name for name in absent if name in self.records], pool)
            work = self.store.work_list(pool, results, again)
            log(f'predicting on {len(work)} images with {", ".join(absent)}, into {self.store}')
            if workers is None:
                with self.make_workers() as own:
                    self._predict(pool, with_features, again, own)
            else:
                self._predict(pool, with_features, again, workers)
            work.finish()
        else:
            self.store.work_list(pool, results).finish_if_left()
        self.write_manifests(with_features)
        made = {name: each.of(pool) for name, each in results.items()}
        self.report(pool, _unreadable(made))
        return {name: made[name] for name in self.records}

    def write_manifests(self, with_features: bool = False) -> None:
        """Write the manifests of predictions, and features, that have lost theirs.

        Raises:
            UserError: If one cannot be written.
        """
        for each in self._results(with_features).values():
            each.write_manifest()

    def _predict(
        self, pool: ImageTable, with_features: bool, again: Sequence[int], workers: AnyWorkers
    ) -> None:
        with pool_file(pool, workers.are_here) as listed:
            task = (with_features, listed, again)
            job = partial(_reopened, self.reopen, *task)
            workers.run(
                partial(self.predicting, with_features, pool, again), job, 'teachers predict'
            )

    def cached(self, images: Sequence[Image]) -> dict[str, PoolResults]:
        """Return those of :meth:`predictions` that the store holds whole; makes none."""
        pool = ImageTable.of(images)
        results = self._results()
        return {n: each.of(pool) for n, each in results.items() if not each.missing(pool).any()}

    def stored(self, images: ImageTable) -> dict[str, PoolResults]:
        """Return what :meth:`predictions` has made of a pool."""
        return {name: each.of(images) for name, each in self._results().items()}

    def count_missing(self, images: ImageTable) -> dict[str, int]:
        """Return of how many images the store holds nothing, by teacher, and for features."""
        return {n: int(each.missing(images).sum()) for n, each in self._results(True).items()}

    def readable_again(self, images: ImageTable, with_features: bool = True) -> list[int]:
        """Return the rows of images that are stored as unreadable, and can be read now."""
        failed = np.zeros(len(images), np.bool_)
        for each in self._results(with_features).values():
            failed |= each.unreadable(images)
        rows = np.flatnonzero(failed)
        if not len(rows):
            return []
        found: list[int] = rows[readable_now(images.take(rows))].tolist()
        return found

    def unreadable(self, images: ImageTable) -> dict[int, str]:
        """Return why images cannot be read, by row, where all predictions and features are made."""
        return _unreadable({name: each.of(images) for name, each in self._results(True).items()})

    def report(self, images: ImageTable, unreadable: Mapping[int, str]) -> None:
        """Warn of pictures that cannot be read.

        Raises:
            UserError: If they are too many.
        """
        found = Unreadable(len(images), self.max_unreadable)
        found.add_all({images[row].key: why for row, why in unreadable.items()})
        found.report()

    def cells(self, images: ImageTable) -> PoolResults | None:
        """Return what the places of each image look like, None where nobody looked."""
        if self.features is None:
            return None
        return self._results(with_features=True)[FEATURES].of(images)

    def _results(self, with_features: bool = False) -> dict[str, PictureResults]:
        results = {
            name: self.store.predictions(record['identity'])
            for name, record in self.records.items()
        }
        if with_features and self.features is not None:
            results[FEATURES] = self.store.features(self.features.identity)
        return results

    def predicting(
        self, with_features: bool, images: ImageTable, again: Sequence[int] = ()
    ) -> Predicting:
        """Return the work of teachers on a pool, for this process; see :meth:`predictions`."""
        results = self._results(with_features)
        work = self.store.work_list(images, results, again)
        unreadable = Unreadable(len(images), self.max_unreadable)
        teachers = {n: self.open_teacher(n) for n in work.makers if n in self.records}
        if self.features is not None and FEATURES in work.makers:
            teachers[FEATURES] = self.features.open()
        return Predicting(self.store, work, teachers, unreadable, self.readers)

    def predicting_too(
        self, with_features: bool, images: ImageTable, again: Sequence[int] = ()
    ) -> Predicting:
        """Return the same for a further process, which may begin when others are long at work."""
        work = self.predicting(with_features, images, again)
        self.check([name for name in work.teachers if name in self.records], images)
        return work


def _unreadable(made: Mapping[str, PoolResults]) -> dict[int, str]:
    found: dict[int, str] = {}
    for each in made.values():
        found = {**each.unreadable(), **found}
    return dict(sorted(found.items()))


def _reopened(
    reopen: Callable[[], PredictionMaker],
    with_features: bool,
    images: ImageTable,
    again: Sequence[int],
) -> Predicting:
    """Return the work on a pool of a maker that is made anew, in another process."""
    return reopen().predicting_too(with_features, images, again)
