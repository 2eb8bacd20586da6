"""A pool's list of images as a file, which every worker maps in place of a copy of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmcompose.store import ImageTable

# Shorter lists are sent: they fit into what a pipe takes before anybody reads it.
_WORTH_A_FILE = 256


@contextmanager
def pool_file(images: ImageTable, are_here: bool = True) -> Iterator[ImageTable]:
    """Give a list of images that travels as a path where it is long.

    Args:
        images: The list.
        are_here: Whether all who read it see the files of this machine. Else it travels itself.
    """
    if len(images) < _WORTH_A_FILE or not are_here:
        yield ImageTable(images.table)
        return
    with tempfile.TemporaryDirectory(prefix='mmcompose-') as folder:
        yield images.save(Path(folder) / 'pool.arrow')
