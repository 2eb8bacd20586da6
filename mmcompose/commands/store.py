"""Look at a label store, verify it, and tidy it up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmcompose.store import LabelStore
from mmcompose.store.contents import Folder, folders
from mmcompose.store.tidying import collect_garbage, compact
from mmcompose.store.verifying import verify
from mmcompose.utils import UserError, progress


@dataclass(frozen=True)
class StoredFolder:
    """A folder of a store, in numbers.

    Args:
        path: Where it is in the store.
        made_of: Identities of the teachers that made it, and of what looked at pictures.
        num_images: How many pictures it has results of.
        num_unreadable: How many of them could not be read; None of labels.
        num_files: How many files it has.
        num_bytes: The size of all of them.
    """

    path: str
    made_of: list[str]
    num_images: int
    num_unreadable: int | None
    num_files: int
    num_bytes: int


def store_info(location: str) -> list[StoredFolder]:
    """Return what is in a store.

    Args:
        location: A local path, or any URL that fsspec reads.

    Raises:
        UserError: If there is no store, or a manifest of it is damaged.
    """
    store = _open(location)
    return [_in_numbers(store, folder) for folder in folders(store.location)]


def verify_store(location: str) -> int:
    """Read every file of a store through, and return how many are sound.

    Raises:
        UserError: With a line for each that is damaged.
    """
    store = _open(location)
    found = list(progress(verify(store.location), 'verify', 0))
    problems = [wrong for _, wrong in found if wrong is not None]
    if problems:
        raise UserError(*problems)
    return len(found)


def collect_store_garbage(location: str, configs: Sequence[str] = ()) -> list[str]:
    """Remove from a store what no run needs any more; see :func:`collect_garbage`.

    Args:
        location: Of the store.
        configs: Paths of configs; where any are named, whatever was made of teachers that none of
            them has goes as well, and features of pictures that none of them compares.

    Raises:
        UserError: If somebody is at work in the store, or a config cannot be read.
    """
    store = _open(location)
    makers = None
    if configs:
        from mmcompose.commands.load import load

        makers = set().union(*(load(config).makers for config in configs))
    return collect_garbage(store.location, makers)


def compact_store(location: str) -> int:
    """Merge the small parts of a store, and return how many were merged.

    Raises:
        UserError: If somebody is at work in the store, or a part is damaged.
    """
    return compact(_open(location).location)


def _open(location: str) -> LabelStore:
    store = LabelStore(location)
    store.check_made()
    return store


def _in_numbers(store: LabelStore, folder: Folder) -> StoredFolder:
    num_images, unreadable = folder.num_images, None
    if num_images is None:
        index = store.results(folder.kind, folder.made_of).index
        index.refresh()
        num_images = len(index)
        unreadable = sum(index.table.column('is_unreadable').to_pylist())
    makers = sorted(folder.makers)
    files = len(folder.files)
    return StoredFolder(folder.path, makers, num_images, unreadable, files, folder.num_bytes)
