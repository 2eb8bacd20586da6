"""WorkList: what was missing when a run began, in the parts in which it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmcompose.store.image_table import ImageTable
from mmcompose.store.leases import Leases
from mmcompose.store.location import Location
from mmcompose.store.parts import PART_SIZE
from mmcompose.store.picture_results import PictureResults
from mmcompose.store.sealed import damaged, digest_of
from mmcompose.structures import Image
from mmcompose.utils import fingerprint

_NAME = 'work_list.arrow'
_FORMAT = 2


class WorkList:
    """The images that some makers have not seen, or could not read, cut into parts.

    It is written once, by whoever comes first, and read by all who take part, late ones and those
    who go on after a kill too: so what is in a part, and in which order, does not depend on them.
    A picture is in one part for all makers, which therefore decode it once.

    Args:
        location: The store's.
        images: The pool.
        results: Where each maker's results go, by its name.
        part_size: How many images make a part. Defaults to 256.
        again: Rows of images that are in the list also of makers that could not read them. Whoever
            comes first decides. Defaults to none.
    """

    def __init__(
        self,
        location: Location,
        images: ImageTable,
        results: Mapping[str, PictureResults],
        part_size: int = PART_SIZE,
        again: Sequence[int] = (),
    ) -> None:
        self._location = location
        self._images = images
        self._results = dict(results)
        makers = [results[name].fingerprint for name in results]
        run = fingerprint([_FORMAT, images.fingerprint, makers, part_size])
        self.folder = f'work/{run}'
        self._run = run.encode()
        self.part_size = part_size
        self._rows = self._again = np.zeros(0, np.int64)
        self._wanted: dict[str, NDArray[np.bool_]] = {}
        retried = np.array(again, np.int64)
        missing = self._missing()
        wanted = self._with(missing, retried)
        while _any(wanted) and self._join(missing, wanted, retried):
            # Nobody's list was there. A run may have come to its end since the look at what is
            # missing, so that some of it is not.
            missing = self._missing()
            before, wanted = wanted, self._with(missing, retried)
            if all(np.array_equal(before[name], wanted[name]) for name in wanted):
                break
            self._location.remove(self.folder, _NAME)
            self._rows, self._again, self._wanted = self._rows[:0], self._again[:0], {}
        self.is_empty = not _any(wanted)
        left = self._with(missing, self._again)
        # Others may have seen to some of it, for another pool.
        self._is_seen_to = {
            (name, part)
            for name in self._results
            for part in range(self.num_parts)
            if not left[name][self._part(name, part)].any()
        }

    def _missing(self) -> dict[str, NDArray[np.bool_]]:
        return {name: each.missing(self._images) for name, each in self._results.items()}

    def _with(
        self, missing: Mapping[str, NDArray[np.bool_]], again: NDArray[np.int64]
    ) -> dict[str, NDArray[np.bool_]]:
        """Return ``(N,)`` bool by maker: what it has yet to see, or is to try again."""
        wanted = {name: mask.copy() for name, mask in missing.items()}
        if len(again):
            tried = self._images.take(again)
            for name, mask in wanted.items():
                mask[again] |= self._results[name].unreadable(tried)
        return wanted

    def _join(
        self,
        missing: Mapping[str, NDArray[np.bool_]],
        wanted: Mapping[str, NDArray[np.bool_]],
        again: NDArray[np.int64],
    ) -> bool:
        """Take the list that is there, or write one; return whether it was written."""
        rows = np.flatnonzero(np.any(list(wanted.values()), axis=0))
        columns = {f'{n}': mask[rows] for n, mask in enumerate(wanted.values())}
        columns['again'] = np.isin(rows, again)
        sink = pa.BufferOutputStream()
        # Rows alone may be those of another pool, and parts are named after the list: one that
        # tries again what an earlier one tried is another.
        tried = self._images.take(again)
        failed = [each.index.parts_without(tried) for each in self._results.values()]
        metadata = {b'run': self._run, b'failed': fingerprint(failed).encode()}
        table = pa.table({'row': rows, **columns}).replace_schema_metadata(metadata)
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        content = sink.getvalue().to_pybytes()
        agreed, is_own = self._agreed(content)
        self._take(agreed)
        if self._is_outdated(missing, rows[columns['again']]):
            self._location.remove(self.folder, _NAME)
            agreed, is_own = self._agreed(content)
            self._take(agreed)
        return is_own

    def _is_outdated(
        self, missing: Mapping[str, NDArray[np.bool_]], again: NDArray[np.int64]
    ) -> bool:
        """Return whether the list that is there, of a run that ended early, no longer will do."""
        # What was there when it was written is gone.
        if any(len(np.setdiff1d(np.flatnonzero(missing[n]), self._listed(n))) for n in missing):
            return True
        # What could not be read then is readable now.
        is_read_now = len(np.setdiff1d(again, self._again)) > 0
        return is_read_now and not Leases(self._location, self.folder).live()

    def _take(self, content: bytes) -> None:
        self._digest = digest_of(content)
        table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
        self._rows = table.column('row').to_numpy()
        self._again = self._rows[table.column('again').to_numpy()]
        self._wanted = {
            name: table.column(f'{n}').to_numpy() for n, name in enumerate(self._results)
        }

    def _listed(self, name: str) -> NDArray[np.int64]:
        rows: NDArray[np.int64] = self._rows[self._wanted[name]]
        return rows

    def _agreed(self, content: bytes) -> tuple[bytes, bool]:
        """Write the list unless somebody has; return what is there, and whether it was written."""
        while not self._location.create(digest_of(content).encode() + content, self.folder, _NAME):
            try:
                found = self._location.read(self.folder, _NAME)
            except FileNotFoundError:
                # Its run has just come to its end.
                continue
            there = found[len(digest_of(b'')) :]
            if found != digest_of(there).encode() + there:
                raise damaged(self._location.path(self.folder, _NAME))
            return there, False
        return content, True

    @property
    def makers(self) -> list[str]:
        """The names of those who have something to do."""
        return [name for name, wanted in self._wanted.items() if wanted.any()]

    @property
    def num_parts(self) -> int:
        """How many parts there are."""
        return -(-len(self._rows) // self.part_size)

    def __len__(self) -> int:
        return len(self._rows)

    def _part(self, name: str, part: int) -> NDArray[np.int64]:
        within = slice(part * self.part_size, (part + 1) * self.part_size)
        return self._rows[within][self._wanted[name][within]]

    def images_of(self, part: int) -> tuple[list[Image], dict[str, NDArray[np.bool_]]]:
        """Return the images of a part, and for each maker which of them it has yet to see."""
        rows = {name: self._part(name, part) for name in self._todo(part)}
        every = np.unique(np.concatenate([*rows.values(), np.zeros(0, np.int64)]))
        wanted = {name: np.isin(every, each) for name, each in rows.items()}
        return list(self._images.take(every)), wanted

    def _todo(self, part: int) -> list[str]:
        return [
            name
            for name, results in self._results.items()
            if (name, part) not in self._is_seen_to and self.stem(part) not in self._stems(results)
        ]

    def _stems(self, results: PictureResults) -> set[str]:
        return results.parts.stems()

    def stem(self, part: int) -> str:
        """Return the name of a part."""
        return f'{self._digest}-{part:05d}'

    def unfinished(self) -> list[int]:
        """Return the parts of which something is still missing."""
        stems = {name: self._stems(results) for name, results in self._results.items()}
        return [
            part
            for part in range(self.num_parts)
            if any(
                (name, part) not in self._is_seen_to and self.stem(part) not in stems[name]
                for name in stems
            )
        ]

    def write(self, name: str, part: int, *result: Any) -> None:
        """Write a maker's part; see :meth:`PictureResults.write`."""
        self._results[name].write(self.stem(part), *result)

    def finish(self) -> None:
        """Keep the makers' indices, and forget the list: everything in it is there."""
        for results in self._results.values():
            results.index.refresh()
            results.index.keep()
        self._location.remove_folder(self.folder)

    def finish_if_left(self) -> None:
        """Finish what a run left that was killed when all was there."""
        if _NAME in self._location.names(self.folder):
            self.finish()


def _any(missing: Mapping[str, NDArray[np.bool_]]) -> bool:
    return any(mask.any() for mask in missing.values())
