"""A Parquet table of a row a box."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmcompose.store.exports.labeled import Labeled
from mmcompose.utils import atomic_write

_SCHEMA = pa.schema(
    [
        ('image', pa.string()),
        ('width', pa.int32()),
        ('height', pa.int32()),
        ('class', pa.string()),
        *((side, pa.float32()) for side in ('x1', 'y1', 'x2', 'y2')),
        ('score', pa.float32()),
        ('ignore', pa.bool_()),
        ('weight', pa.float32()),
        ('votes', pa.list_(pa.string())),
        ('spread', pa.float32()),
        ('best_score', pa.float32()),
        ('cluster_size', pa.int64()),
        ('mask', pa.string()),
    ]
)


def write_parquet(labeled: Labeled, path: Path) -> None:
    """Write a row a box with all that is known of it; ``votes`` are the teachers' names.

    ``mask`` is the ``counts`` of COCO's compressed RLE, whose ``size`` is the row's height and
    width; null where a box has none, as is what is not known. Pictures without a box have no row.
    """
    columns: dict[str, list[Any]] = {name: [] for name in _SCHEMA.names}
    for image, found in labeled:
        count = len(found)
        columns['image'] += [image.key] * count
        columns['width'] += [image.width] * count
        columns['height'] += [image.height] * count
        columns['class'] += [labeled.classes[label] for label in found.labels.tolist()]
        for side, name in enumerate(('x1', 'y1', 'x2', 'y2')):
            columns[name] += found.boxes[:, side].tolist()
        columns['score'] += found.scores.tolist()
        columns['ignore'] += found.is_ignored.tolist()
        for name, values in (
            ('weight', found.weights),
            ('spread', found.spread),
            ('best_score', found.best_score),
            ('cluster_size', found.cluster_size),
        ):
            columns[name] += [None] * count if values is None else values.tolist()
        columns['votes'] += labeled.voters(found)
        columns['mask'] += [None if mask is None else mask.decode() for mask in found.each_mask]
    with atomic_write('out', path) as temporary:
        pq.write_table(pa.table(columns, schema=_SCHEMA), temporary, compression='zstd')
