"""Of which pictures of a pool the content belongs to their address, beside the size of the file."""

from __future__ import annotations

import contextlib
import re

import pyarrow as pa
import pyarrow.compute as pc

from mmcompose.store import DigestOf, digest_of
from mmcompose.structures import read_bytes
from mmcompose.utils import UserError

# Names of files that may not be compressed.
_UNCOMPRESSED = r'\.(bmp|dib|p[bgpn]m|ras|sr|tiff?)$'


def digest_of_any(path: str) -> str | None:
    """Return a digest of a file's content, None where it cannot be read."""
    # One picture does not stop a pool; whoever decodes it finds out why.
    with contextlib.suppress(UserError):
        return digest_of(read_bytes(path))
    return None


def digests_of_uncompressed(listed: pa.Table) -> DigestOf | None:
    """Return what makes digests of the files of a pool that may not be compressed.

    Of these all of one size have as many bytes, whatever they show.

    Args:
        listed: With the columns of :data:`mmcompose.store.POOL_SCHEMA`.

    Returns:
        It makes None of every other file. None where the pool has no such file on this machine:
        of others nothing tells whether they have changed, and each start would read them all.
    """
    bare = pc.match_substring_regex(listed.column('key'), _UNCOMPRESSED, ignore_case=True)
    here = pc.invert(pc.match_substring(listed.column('path'), b'://'))
    return _digest_of_uncompressed if pc.any(pc.and_(bare, here)).as_py() else None


def _digest_of_uncompressed(path: str) -> str | None:
    is_asked = '://' not in path and re.search(_UNCOMPRESSED, path, re.IGNORECASE)
    return digest_of_any(path) if is_asked else None
