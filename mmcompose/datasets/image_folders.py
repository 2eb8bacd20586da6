"""Pictures of a folder or a glob, and what is passed over there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import cv2
import fsspec

from mmcompose.structures import filesystem_of
from mmcompose.utils import examples, log, warn

# What OpenCV reads, as MMCV calls it; a few of them only in some builds.
_ALWAYS = (
    '.bmp .jfif .jpe .jpeg .jpg .mpo .pbm .pgm .png .pnm .ppm .ras .sr .tif .tiff .webp'.split()
)
_SOME = ('.avif', '.gif', '.jp2')
SUFFIXES = tuple(sorted([*_ALWAYS, *(s for s in _SOME if cv2.haveImageWriter(f'a{s}'))]))
# What macOS writes beside each file on other file systems.
_RESOURCE_FORK = '._'
# Folders of a desktop's thrown away files, of a notebook's copies, of macOS's and Synology's own.
_NOT_OURS = ('.', '__MACOSX', '@eaDir')


@dataclass
class PassedOver:
    """What a listing leaves out.

    Args:
        suffixes: How many files there are of each suffix that no picture has.
        folders: Folders that cannot be listed, with the reason.
        links: How many links lead to folders that are listed already.
        hidden: Hidden folders, by how many files each holds.
    """

    suffixes: Counter[str] = field(default_factory=Counter)
    folders: list[str] = field(default_factory=list)
    links: int = 0
    hidden: Counter[str] = field(default_factory=Counter)

    def tell(self, where: str) -> None:
        """Log what was left out, if anything was."""
        if self.suffixes:
            counts = examples([f'{n} {suffix}' for suffix, n in self.suffixes.most_common()])
            log(f'{where}: {self.suffixes.total()} files are no pictures by suffix ({counts})')
        if self.hidden:
            counts = examples([f'{n} in {folder}' for folder, n in self.hidden.most_common()])
            log(f'{where}: {self.hidden.total()} files of hidden folders are left out ({counts})')
        if self.links:
            log(f'{where}: {self.links} links lead to folders that are listed already')
        if self.folders:
            warn(
                f'{where}: {len(self.folders)} folders cannot be listed, and are left out '
                f'({examples(self.folders)})'
            )


class FoundFile(NamedTuple):
    """A picture's file.

    Args:
        path: A local path or fsspec URL.
        num_bytes: Its size, None where the listing does not tell it.
        modified: When it was changed last, in nanoseconds; 0 where the listing does not tell it.
    """

    path: str
    num_bytes: int | None = None
    modified: int = 0


def find_images(pattern: str, passed_over: PassedOver | None = None) -> Iterator[str]:
    """Yield the paths of pictures; see :func:`find_files`."""
    return (found.path for found in find_files(pattern, passed_over))


def find_files(pattern: str, passed_over: PassedOver | None = None) -> Iterator[FoundFile]:
    """Yield the pictures in a folder (and its sub-folders), or that match a glob.

    Hidden folders, which begin with a dot, are left out where the pattern does not name them.

    Args:
        pattern: A local path or fsspec URL of a folder, or a glob.
        passed_over: Filled with what is left out. Defaults to None: that is not needed.
    """
    passed_over = passed_over or PassedOver()
    remote = '://' in pattern
    found: Mapping[str, Mapping[str, Any]]
    if not remote and not is_glob(pattern):
        found = {name: {} for name in _walk(os.path.abspath(pattern), passed_over)}
    else:
        filesystem, path = filesystem_of(pattern)
        # One listing has sizes and times, too: no request a picture.
        find = filesystem.glob if is_glob(pattern) else filesystem.find
        found = find(path, detail=True)
    named = set(PurePosixPath(path if remote else os.path.abspath(pattern)).parts)
    for name in sorted(found):
        if found[name].get('type') == 'directory':
            # A glob matches these, too.
            continue
        hidden = _hidden_folder(name, named)
        if hidden:
            passed_over.hidden[hidden] += 1
        elif not _is_picture(name):
            passed_over.suffixes[PurePosixPath(name).suffix.lower() or 'without suffix'] += 1
        elif remote:
            about = found[name]
            yield FoundFile(filesystem.unstrip_protocol(name), about.get('size'), _modified(about))
        else:
            # Made absolute; a pool named by a relative path stays relative.
            yield FoundFile(name if os.path.isabs(pattern) else os.path.relpath(name))


def _modified(about: Mapping[str, Any]) -> int:
    """Return when a file was changed last, in nanoseconds, 0 where its storage does not tell it."""
    for name in ('LastModified', 'last_modified', 'mtime', 'updated'):
        if isinstance(when := about.get(name), datetime):
            return int(when.timestamp() * 1e9)
    return 0


def is_glob(pattern: str) -> bool:
    """Return whether a pattern is a glob, and not a folder with brackets in its name."""
    return bool(fsspec.core.has_magic(pattern)) and not os.path.isdir(pattern)


def _hidden_folder(name: str, named: Container[str]) -> str | None:
    """Return the first hidden folder of a path that a pattern does not name."""
    folders = PurePosixPath(name).parent.parts
    return next(
        (each for each in folders if each.startswith(_NOT_OURS) and each not in named), None
    )


def _is_picture(name: str) -> bool:
    last = os.path.basename(name)
    return last.lower().endswith(SUFFIXES) and not last.startswith(_RESOURCE_FORK)


def _walk(root: str, passed_over: PassedOver) -> list[str]:
    """Return the files below a folder; links to folders are followed, each folder once."""
    files: list[str] = []
    seen: set[tuple[int, int]] = set()
    # A folder goes by its own name where it stands in the pool, and is linked from there too.
    folders, links = [root], list[str]()
    while folders or links:
        folder, is_link = (folders.pop(), False) if folders else (links.pop(0), True)
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                passed_over.links += is_link
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            passed_over.folders.append(f'{folder}: {error.strerror}')
            continue
        for entry in entries:
            if not entry.is_dir():
                files.append(entry.path)
            else:
                (links if entry.is_symlink() else folders).append(entry.path)
    return files
