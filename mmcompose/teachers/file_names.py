"""Which of the listed file names is an image's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from mmcompose.structures import Image
from mmcompose.utils import UserError


def index(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names by their last part."""
    by_last: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_last[PurePosixPath(name).name].append(name)
    return dict(by_last)


def match(image: Image, names: Mapping[str, Sequence[str]]) -> str | None:
    """Return the listed name that shares the longest tail with the image's key, or None.

    Raises:
        UserError: If two share an equally long one.
    """
    candidates = names.get(PurePosixPath(image.key).name, ())
    shared = [_common_tail(candidate, image.key) for candidate in candidates]
    best = [name for name, n in zip(candidates, shared, strict=True) if n == max(shared)]
    if len(best) > 1:
        raise UserError(f'images: {image.key!r} may be {best[0]!r} or {best[1]!r}')
    return best[0] if best else None


def _common_tail(first: str, second: str) -> int:
    pairs = zip(
        reversed(PurePosixPath(first).parts), reversed(PurePosixPath(second).parts), strict=False
    )
    return next((n for n, (one, other) in enumerate(pairs) if one != other), 1 << 16)
