"""A result over an image list, made shard by shard by any number of processes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmcompose.store.tables import MASKS, SCHEMA, SCHEMA_WITH_MASKS, DetectionTable, to_table
from mmcompose.structures import Detections, Image
from mmcompose.utils import (
    UserError,
    atomic_write,
    fault,
    fingerprint,
    lines_fingerprint,
    plain,
    problem,
    write_json,
)

FORMAT = 2
SHARD_SIZE = 128
_POLL_SECONDS = 0.2
_KEY = 'composition.store'


class ShardedResult:
    """Detections for each image of a list, kept as Parquet shards in a folder of their own.

    The folder is named by a fingerprint of all that made the result. A shard is a fixed range
    of the image list, never a process's share; it appears whole or not at all, so a killed
    process loses the shard it was making and nothing else, and two processes that make the same
    shard write the same bytes.

    A picture that is changed in place, and keeps its name, width and height, keeps the address;
    where its file's size changed with it, :meth:`read` refuses to pass off the old result as its
    own. One that changes without its size, as an uncompressed one may, is not noticed.

    Args:
        root: The store's folder.
        kind: ``'predictions'`` or ``'labels'``.
        made_of: All that decides the result, as plain values.
        images: The image list.
        shard_size: How many images make a shard. Defaults to 128.
    """

    def __init__(
        self,
        root: str | Path,
        kind: str,
        made_of: Mapping[str, Any],
        images: Sequence[Image],
        shard_size: int = SHARD_SIZE,
    ) -> None:
        self._images = images
        self._shard_size = shard_size
        self._manifest = {
            'format': FORMAT,
            'kind': kind,
            'made_of': plain(made_of),
            'images': image_list_fingerprint(images),
            'num_images': len(images),
            'shard_size': shard_size,
        }
        self.fingerprint = fingerprint(self._manifest)
        self.folder = Path(root) / kind / self.fingerprint

    @property
    def num_shards(self) -> int:
        """How many shards make the whole."""
        return -(-len(self._images) // self._shard_size)

    def shard_path(self, shard: int) -> Path:
        """Return where a shard's Parquet file is, or will be."""
        return self.folder / f'shard-{shard:05d}.parquet'

    def missing(self) -> list[int]:
        """Return the shards that are not there yet."""
        return [shard for shard in range(self.num_shards) if not self.has(shard)]

    def has(self, shard: int) -> bool:
        """Return whether a shard is there."""
        return self.shard_path(shard).exists()

    def images_of(self, shard: int) -> Sequence[Image]:
        """Return the fixed range of the image list that a shard covers."""
        return self._images[shard * self._shard_size : (shard + 1) * self._shard_size]

    def write(self, shard: int, detections: Sequence[Detections]) -> None:
        """Write the detections of a shard's images, in their order, whole or not at all."""
        if not (self.folder / 'manifest.json').exists():
            self.write_json('manifest.json', self._manifest)
        table = to_table(self.images_of(shard), detections)
        with atomic_write(_KEY, self.shard_path(shard)) as temporary:
            pq.write_table(table, temporary, compression='zstd')

    def wait(self) -> None:
        """Return when every shard is there, whoever makes it.

        By watching the folder: a collective would time out while others are still at work.
        """
        while self.missing():
            time.sleep(_POLL_SECONDS)

    def read(self) -> DetectionTable:
        """Map the whole result; makes the one file that is mapped where it is not there."""
        mapped = self.folder / 'all.arrow'
        if not mapped.exists():
            paths = [self.shard_path(shard) for shard in range(self.num_shards)]
            with_masks = any(MASKS in _schema_of(path).names for path in paths)
            schema = SCHEMA_WITH_MASKS if with_masks else SCHEMA
            with atomic_write(_KEY, mapped) as temporary, pa.OSFile(str(temporary), 'wb') as sink:
                with pa.ipc.new_file(sink, schema) as writer:
                    for path in paths:
                        with _reading(path):
                            table = pq.read_table(path, schema=schema)
                        writer.write_table(table)
        table = DetectionTable(mapped)
        self._check_unchanged(table)
        return table

    def _check_unchanged(self, table: DetectionTable) -> None:
        """Raise if a picture's file has another size than it had when it was looked at.

        The address knows keys, widths and heights, which stay where a pool is copied or moved;
        hashing every picture at every start would take as long as reading them all.
        """
        sizes = zip(self._images, table.num_bytes, strict=True)
        changed = [
            image.key
            for image, then in sizes
            if then is not None and image.num_bytes not in (None, then)
        ]
        if changed:
            raise UserError(
                fault(
                    _KEY,
                    f'{len(changed)} of {len(self._images)} pictures have changed since '
                    f'{str(self.folder)!r} was made of them, the first {changed[0]!r}; delete that '
                    'folder to make it anew, or name another store',
                )
            )

    def write_json(self, name: str, content: Any) -> None:
        """Write a small file beside the shards, whole or not at all."""
        write_json(_KEY, self.folder / name, content, sort_keys=True)

    def has_json(self, name: str) -> bool:
        """Return whether :meth:`write_json` wrote a file of that name."""
        return (self.folder / name).exists()

    def read_json(self, name: str) -> Any:
        """Read what :meth:`write_json` wrote; waits until somebody has."""
        path = self.folder / name
        while not path.exists():
            time.sleep(_POLL_SECONDS)
        return json.loads(path.read_text())


def _schema_of(path: Path) -> pa.Schema:
    with _reading(path):
        return pq.read_schema(path)


@contextmanager
def _reading(shard: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        expected = f'cannot be read ({error}); delete it, and it is made anew'
        raise UserError(problem(_KEY, str(shard), expected)) from error


def image_list_fingerprint(images: Sequence[Image]) -> str:
    """Address an image list by its keys and sizes, in order."""
    return lines_fingerprint(f'{image.key} {image.width} {image.height}' for image in images)
