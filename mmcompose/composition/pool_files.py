"""A pool's list of images as a file, which every worker maps in place of a copy of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mmcompose.store import ImageTable
from mmcompose.utils import UserError, problem

# Shorter lists are sent: they fit into what a pipe takes before anybody reads it.
_WORTH_A_FILE = 256


class _Listed(ImageTable):
    """A list that is written to a file when it is first sent to another process.

    Args:
        images: The list.
        until: What removes the file.
    """

    def __init__(self, images: ImageTable, until: ExitStack) -> None:
        super().__init__(images.table)
        self._until = until

    def __reduce__(self) -> Any:
        if self._path is None:
            self._path = self._written()
        return super().__reduce__()

    def _written(self) -> Path:
        try:
            folder = self._until.enter_context(tempfile.TemporaryDirectory(prefix='mmcompose-'))
            path = Path(folder) / 'pool.arrow'
            self.save(path)
        except OSError as error:
            where = tempfile.tempdir or os.environ.get('TMPDIR')
            expected = f'cannot hold the list of images for further processes: {error}'
            raise UserError(problem('TMPDIR', where, expected)) from error
        return path


@contextmanager
def pool_file(images: ImageTable, are_here: bool = True) -> Iterator[ImageTable]:
    """Give a list of images that travels as a path where it is long.

    Args:
        images: The list.
        are_here: Whether all who read it see the files of this machine. Else it travels itself.

    Raises:
        UserError: Where it is first sent, if there is no room for the file.
    """
    if len(images) < _WORTH_A_FILE or not are_here:
        yield ImageTable(images.table)
        return
    with ExitStack() as until:
        yield _Listed(images, until)
