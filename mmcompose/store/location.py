"""Location: a folder on this machine or in any storage that fsspec reads."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec

from mmcompose.utils import UserError, atomic_write, check_writable, problem

KEY = 'composition.store'
# How often a folder is made, or removed, that others remove, or write into, at the same time.
_TRIES = 20
# For how many seconds another process may be about to give a file its name.
_PATIENCE = 10.0
# What file systems answer that have no hard links: mounts of buckets and drives, exFAT.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Location:
    """A folder whose files appear whole or not at all, wherever it is.

    Only the location travels to another process, never an open connection.

    Args:
        location: A local path, in which ``~`` is expanded, or a URL such as ``s3://bucket/labels``.

    Raises:
        UserError: If it is empty, a file, or of a protocol that fsspec does not know or has no
            package for.
    """

    def __init__(self, location: str | Path) -> None:
        given = str(location)
        if not given.strip():
            raise UserError(problem(KEY, given, 'is no folder; name one, or a URL such as s3://…'))
        self.is_local = '://' not in given or given.startswith('file://')
        if self.is_local:
            given = os.path.expanduser(given.removeprefix('file://'))
            if os.path.isfile(given):
                raise UserError(problem(KEY, given, 'is a file; give the path of a folder'))
        self.url = given.rstrip('/') or '/'
        self._known_protocol()

    @property
    def is_shared(self) -> bool:
        """Whether another process sees what is in it: each has a memory of its own."""
        return not self.url.startswith('memory://')

    def __repr__(self) -> str:
        return f'Location({self.url!r})'

    def __getstate__(self) -> dict[str, Any]:
        return {'is_local': self.is_local, 'url': self.url}

    @cached_property
    def _files(self) -> Any:
        return fsspec.core.url_to_fs(self.url)[0]

    def _known_protocol(self) -> None:
        if self.is_local:
            return
        protocol = self.url.split('://')[0]
        try:
            fsspec.get_filesystem_class(protocol)
        except ValueError as error:
            known = [f'{name}://' for name in fsspec.available_protocols()]
            expected = 'is of no protocol that fsspec reads'
            raise UserError(problem(KEY, f'{protocol}://', expected, known)) from error
        except ImportError as error:
            raise UserError(problem(KEY, self.url, f'cannot be read: {error}')) from error

    def path(self, *parts: str) -> str:
        """Return the path or URL of a file in it."""
        return '/'.join((self.url, *parts))

    def local(self, *parts: str) -> Path | None:
        """Return the path of a file in it, None where it is not on this machine."""
        return Path(self.path(*parts)) if self.is_local else None

    def read(self, *parts: str) -> bytes:
        """Read a file.

        Raises:
            FileNotFoundError: If there is none.
            UserError: If it cannot be read.
        """
        path = self.path(*parts)
        with self._telling(path, 'read'):
            if self.is_local:
                return Path(path).read_bytes()
            return bytes(self._files.cat_file(path))

    def write(self, content: bytes, *parts: str) -> None:
        """Write a file, over the one that is there.

        Raises:
            UserError: If it cannot be written.
        """
        path = self.path(*parts)
        if self.is_local:
            with atomic_write(KEY, path) as temporary:
                temporary.write_bytes(content)
            return
        with self._telling(path, 'written'):
            self._files.pipe_file(path, content)

    def create(self, content: bytes, *parts: str) -> bool:
        """Write a file unless there is one, and return whether it was written.

        Of several processes that try at once, one succeeds, where the storage has such a call.

        Raises:
            UserError: If it cannot be written.
        """
        path = self.path(*parts)
        with self._telling(path, 'written'):
            if self.is_local:
                return _create(Path(path), content)
            try:
                self._files.pipe_file(path, content, mode='create')
            except FileExistsError:
                return False
            return True

    def names(self, *parts: str) -> list[str]:
        """Return the names of what is in a folder, sorted; nothing where there is no folder.

        Raises:
            UserError: If it cannot be read.
        """
        path = self.path(*parts)
        with self._telling(path, 'read'):
            try:
                if self.is_local:
                    return sorted(os.listdir(path))
                self._files.invalidate_cache(self._files._strip_protocol(path))
                found = self._files.ls(path, detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        # An object store may list the folder itself.
        own = self._files._strip_protocol(path).rstrip('/')
        inside = {each.rstrip('/') for each in found} - {own}
        return sorted(each.rsplit('/', 1)[-1] for each in inside)

    def size(self, *parts: str) -> int:
        """Return the size of a file in bytes.

        Raises:
            FileNotFoundError: If there is none.
            UserError: If it cannot be read.
        """
        path = self.path(*parts)
        with self._telling(path, 'read'):
            return os.path.getsize(path) if self.is_local else int(self._files.size(path))

    def remove(self, *parts: str) -> None:
        """Remove a file; nothing where there is none.

        Raises:
            UserError: If it cannot be removed.
        """
        path = self.path(*parts)
        with self._telling(path, 'removed'), contextlib.suppress(FileNotFoundError):
            if self.is_local:
                os.remove(path)
            else:
                self._files.rm_file(path)

    def remove_folder(self, *parts: str) -> None:
        """Remove a folder and all that is in it; nothing where there is none.

        What other processes are writing there meanwhile may stay.

        Raises:
            UserError: If it cannot be removed.
        """
        path = self.path(*parts)
        with self._telling(path, 'removed'), contextlib.suppress(FileNotFoundError):
            if self.is_local:
                _remove_folder(path)
            else:
                self._files.rm(path, recursive=True)

    def check_writable(self) -> None:
        """Check, before hours of work, that files can be written here.

        Raises:
            UserError: If not.
        """
        if self.is_local:
            check_writable(KEY, self.url, folder=True)
            return
        name = f'.writable-{uuid.uuid4().hex}'
        self.write(b'', name)
        self.remove(name)

    @contextmanager
    def _telling(self, path: str, done: str) -> Iterator[None]:
        """Tell in one line what storage answers; each kind of it has exceptions of its own."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            if isinstance(error, FileNotFoundError) and done != 'written':
                raise
            if self.is_local and not isinstance(error, OSError):
                raise
            if done == 'read' and isinstance(error, NotADirectoryError):
                # A file is where one of its folders would be.
                raise FileNotFoundError(path) from error
            reason = ' '.join(str(error).split()) or type(error).__name__
            raise UserError(problem(KEY, path, f'cannot be {done}: {reason}')) from error


def _remove_folder(path: str) -> None:
    """Remove a folder of this machine that others may be writing into, or removing, too."""
    for _ in range(_TRIES):
        try:
            shutil.rmtree(path)
            return
        except FileNotFoundError:
            # Something in it was gone before this process came to it, or all of it.
            if not os.path.lexists(path):
                return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise


def _create(path: Path, content: bytes) -> bool:
    temporary = path.with_name(f'.{path.name}.{uuid.uuid4().hex}.tmp')
    for last in range(_TRIES):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            return _link(temporary, path)
        except (FileNotFoundError, FileExistsError):
            # Another process has removed the folder meanwhile.
            if last == _TRIES - 1:
                raise
        finally:
            temporary.unlink(missing_ok=True)
    raise AssertionError


def _link(temporary: Path, path: Path) -> bool:
    """Give a file its name unless there is one of that name."""
    try:
        # Unlike a rename it fails where there is one; unlike mode 'x' nobody sees half of it.
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _create_without_links(temporary, path)
    return True


def _create_without_links(temporary: Path, path: Path) -> bool:
    marker = path.with_name(f'.{path.name}.new.tmp')
    until = time.monotonic() + _PATIENCE
    while not path.exists():
        try:
            marker.open('xb').close()
        except FileExistsError:
            # Another process is at it; one that was killed will not come back.
            if time.monotonic() > until:
                marker.unlink(missing_ok=True)
            time.sleep(0.01)
            continue
        try:
            # It may have come between the look and the marker.
            if path.exists():
                return False
            os.replace(temporary, path)
            return True
        finally:
            marker.unlink(missing_ok=True)
    return False
