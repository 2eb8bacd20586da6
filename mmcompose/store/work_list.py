"""WorkList: what was missing when a run began, in the parts in which it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmcompose.store.image_table import ImageTable
from mmcompose.store.location import Location
from mmcompose.store.parts import PART_SIZE
from mmcompose.store.picture_results import PictureResults
from mmcompose.store.sealed import damaged, digest_of
from mmcompose.structures import Image
from mmcompose.utils import fingerprint

_NAME = 'work_list.arrow'


class WorkList:
    """The images that some makers have not seen, cut into parts.

    It is written once, by whoever comes first, and read by all who take part, late ones and those
    who go on after a kill too: so what is in a part, and in which order, does not depend on them.
    A picture is in one part for all makers, which therefore decode it once.

    Args:
        location: The store's.
        images: The pool.
        results: Where each maker's results go, by its name.
        part_size: How many images make a part. Defaults to 256.
    """

    def __init__(
        self,
        location: Location,
        images: ImageTable,
        results: Mapping[str, PictureResults],
        part_size: int = PART_SIZE,
    ) -> None:
        self._location = location
        self._images = images
        self._results = dict(results)
        makers = [results[name].fingerprint for name in results]
        run = fingerprint([images.fingerprint, makers, part_size])
        self.folder = f'work/{run}'
        self._run = run.encode()
        self.part_size = part_size
        self._rows = np.zeros(0, np.int64)
        self._wanted: dict[str, NDArray[np.bool_]] = {}
        missing = self._missing()
        while _any(missing) and self._join(missing):
            # Nobody's list was there. A run may have come to its end since the look at what is
            # missing, so that some of it is not.
            now = self._missing()
            if all(np.array_equal(missing[name], now[name]) for name in now):
                break
            self._location.remove(self.folder, _NAME)
            self._rows, self._wanted = self._rows[:0], {}
            missing = now
        self.is_empty = not _any(missing)
        # Others may have seen to some of it, for another pool.
        self._is_seen_to = {
            (name, part)
            for name in self._results
            for part in range(self.num_parts)
            if not missing[name][self._part(name, part)].any()
        }

    def _missing(self) -> dict[str, NDArray[np.bool_]]:
        return {name: each.missing(self._images) for name, each in self._results.items()}

    def _join(self, missing: Mapping[str, NDArray[np.bool_]]) -> bool:
        """Take the list that is there, or write one; return whether it was written."""
        rows = np.flatnonzero(np.any(list(missing.values()), axis=0))
        columns = {f'{n}': mask[rows] for n, mask in enumerate(missing.values())}
        sink = pa.BufferOutputStream()
        # Rows alone may be those of another pool, and parts are named after the list.
        table = pa.table({'row': rows, **columns}).replace_schema_metadata({b'run': self._run})
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        content = sink.getvalue().to_pybytes()
        agreed, is_own = self._agreed(content)
        self._take(agreed)
        gone = (np.setdiff1d(np.flatnonzero(missing[n]), self._listed(n)) for n in missing)
        if any(map(len, gone)):
            # What was there when the list was written, by a run that was killed, is gone.
            self._location.remove(self.folder, _NAME)
            agreed, is_own = self._agreed(content)
            self._take(agreed)
        return is_own

    def _take(self, content: bytes) -> None:
        self._digest = digest_of(content)
        table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
        self._rows = table.column('row').to_numpy()
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
