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
def pool_file(images: ImageTable) -> Iterator[ImageTable]:
    """Give a list of images that travels as a path where it is long."""
    if len(images) < _WORTH_A_FILE:
        yield images
        return
    with tempfile.TemporaryDirectory(prefix='mmcompose-') as folder:
        yield images.save(Path(folder) / 'pool.arrow')
