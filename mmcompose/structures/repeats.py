"""What was written twice: by a padded sampler, behind an earlier run, by joining a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable


def is_repeated(rows: Iterable[Hashable]) -> bool:
    """Return whether each of several rows is there twice or more.

    One row alone, however often, is no evidence: no detector finds two objects at one place with
    one score, but whoever writes rows by hand may.
    """
    times = Counter(rows)
    return len(times) > 1 and min(times.values()) > 1
