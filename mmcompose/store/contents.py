"""What is in a store: for people who look at it, and for what tidies it up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mmcompose.store.leases import are_held, is_lease
from mmcompose.store.location import KEY, Location
from mmcompose.store.manifest import NAME as MANIFEST
from mmcompose.store.pool_index import FOLDER as POOLS
from mmcompose.utils import UserError, fingerprint, problem

# What is there while a run is at work, and is removed at its end.
WORK, STEP_BOXES = 'work', 'boxes'


@dataclass(frozen=True)
class Folder:
    """A folder of results.

    Args:
        path: Where it is in the store, ``<kind>/<fingerprint>``.
        made_of: What made the results.
        num_images: Of a pool's labels how many images it has; None of a maker's results.
        files: The size of each file in bytes, by name.
    """

    path: str
    made_of: dict[str, Any]
    num_images: int | None
    files: dict[str, int]

    @property
    def kind(self) -> str:
        """Of what the results are, e.g. 'predictions'."""
        return self.path.split('/')[0]

    @property
    def num_bytes(self) -> int:
        """The size of all files."""
        return sum(self.files.values())

    @property
    def makers(self) -> set[str]:
        """The identities of all that it is made of: of teachers, and what looks at pictures."""
        of_one = (self.made_of.get(name) for name in ('teacher', 'features'))
        of_pool = (identity for _, identity in self.made_of.get('teachers', ()))
        return {*filter(None, of_one), *of_pool}


def result_paths(location: Location) -> list[str]:
    """Return where results are in a store, ``<kind>/<fingerprint>``, or are about to be."""
    kinds = [n for n in location.names() if n not in (WORK, STEP_BOXES, POOLS) and '.' not in n]
    # A fingerprint has no dot; what a file browser leaves, such as `.DS_Store`, has one.
    return [f'{kind}/{n}' for kind in kinds for n in location.names(kind) if '.' not in n]


def are_results(names: Iterable[str]) -> bool:
    """Return whether a folder of these files holds results, and not mere claims to make some."""
    return not all(is_lease(name) or name.startswith('.') for name in names)


def folders(location: Location) -> Iterator[Folder]:
    """Yield the folders of results in a store.

    Raises:
        UserError: If a manifest is damaged.
    """
    for path in result_paths(location):
        names = location.names(path)
        if not are_results(names):
            continue
        manifest = read_manifest(location, path)
        files = _sizes(location, path, names)
        yield Folder(path, manifest['made_of'], manifest.get('num_images'), files)


def _sizes(location: Location, path: str, names: Iterable[str]) -> dict[str, int]:
    sizes = {}
    for name in names:
        # A run beside this one may have given a claim back, or joined parts, since the listing.
        with suppress(FileNotFoundError):
            sizes[name] = location.size(path, name)
    return sizes


def read_manifest(location: Location, path: str) -> dict[str, Any]:
    """Return the manifest of a folder of results.

    Raises:
        UserError: If it is missing or damaged, or the folder is named after another.
    """
    try:
        manifest: dict[str, Any] = json.loads(location.read(path, MANIFEST))
        if fingerprint(manifest) == path.split('/')[1]:
            return manifest
    except (FileNotFoundError, ValueError):
        pass
    expected = 'is missing or damaged; delete the folder, and what was in it is made anew'
    raise UserError(problem(KEY, location.path(path, MANIFEST), expected))


def check_idle(location: Location) -> None:
    """Check that nobody is at work in a store.

    Takes half a minute where there are claims that nobody renews, as of another machine that is
    gone.

    Raises:
        UserError: If somebody is.
    """
    paths = [*(f'{WORK}/{name}' for name in location.names(WORK)), *result_paths(location)]
    if are_held(location, paths):
        expected = 'is in use; wait until the runs that write there have ended'
        raise UserError(problem(KEY, location.url, expected))
