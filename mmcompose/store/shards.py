"""A result over an image list, made shard by shard by any number of processes."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmcompose.store.tables import SCHEMA, SCHEMA_WITH_MASKS, DetectionTable, to_table
from mmcompose.structures import Detections, Image
from mmcompose.utils import UserError, fingerprint, lines_fingerprint, plain

FORMAT = 2
SHARD_SIZE = 128
_POLL_SECONDS = 0.2


class ShardedResult:
    """Detections for each image of a list, kept as Parquet shards in a folder of their own.

    The folder is named by a fingerprint of all that made the result. A shard is a fixed range
    of the image list, never a process's share; it appears whole or not at all, so a killed
    process loses the shard it was making and nothing else, and two processes that make the same
    shard write the same bytes.

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
        with _atomically(self.shard_path(shard)) as temporary:
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
            with_masks = any(SCHEMA_WITH_MASKS.equals(pq.read_schema(path)) for path in paths)
            schema = SCHEMA_WITH_MASKS if with_masks else SCHEMA
            with _atomically(mapped) as temporary, pa.OSFile(str(temporary), 'wb') as sink:
                with pa.ipc.new_file(sink, schema) as writer:
                    for path in paths:
                        writer.write_table(pq.read_table(path, schema=schema))
        return DetectionTable(mapped)

    def write_json(self, name: str, content: Any) -> None:
        """Write a small file beside the shards, whole or not at all."""
        with _atomically(self.folder / name) as temporary:
            temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + '\n')

    def has_json(self, name: str) -> bool:
        """Return whether :meth:`write_json` wrote a file of that name."""
        return (self.folder / name).exists()

    def read_json(self, name: str) -> Any:
        """Read what :meth:`write_json` wrote; waits until somebody has."""
        path = self.folder / name
        while not path.exists():
            time.sleep(_POLL_SECONDS)
        return json.loads(path.read_text())


class _atomically:
    """Write a file beside its place and move it there when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Processes of several machines may share the folder, and a number.
        self._temporary = path.with_name(f'.{path.name}.{uuid.uuid4().hex}.tmp')

    def __enter__(self) -> Path:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f'composition.store: cannot be written to: {error}') from error
        return self._temporary

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            os.replace(self._temporary, self._path)
        else:
            self._temporary.unlink(missing_ok=True)


def image_list_fingerprint(images: Sequence[Image]) -> str:
    """Address an image list by its keys and sizes, in order."""
    return lines_fingerprint(f'{image.key} {image.width} {image.height}' for image in images)
