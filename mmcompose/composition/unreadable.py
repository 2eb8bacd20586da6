"""Pictures that cannot be read: left out, counted, and too many of them end the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from mmcompose.structures import Image
from mmcompose.utils import UserError, problem, warn

KEY = 'composition.max_unreadable'
_SHOWN = 10
_READ_AT_ONCE = 8


class Unreadable:
    """The pictures of a pool that cannot be read.

    Args:
        num_images: How many images the pool holds.
        limit: Which fraction of them may be unreadable.
    """

    def __init__(self, num_images: int, limit: float) -> None:
        self._num_images = num_images
        self._limit = limit
        self._reasons: dict[str, str] = {}

    def add(self, key: str, reason: str) -> None:
        """Count a picture.

        Raises:
            UserError: If it is one too many.
        """
        self._reasons[key] = reason
        if len(self._reasons) > self._limit * self._num_images:
            first = next(iter(self._reasons))
            expected = (
                f'is exceeded: {len(self._reasons)} of {self._num_images} pictures cannot be '
                f'read, the first {first!r} ({self._reasons[first]}); mend them or take them out '
                'of the pool, or set a higher fraction'
            )
            raise UserError(problem(KEY, self._limit, expected))

    def add_all(self, reasons: Mapping[str, str]) -> None:
        """Count pictures by key; see :meth:`add`."""
        for key, reason in reasons.items():
            self.add(key, reason)

    def report(self) -> None:
        """Warn of all of them."""
        if not self._reasons:
            return
        lines = [f'{key}: {reason}' for key, reason in list(self._reasons.items())[:_SHOWN]]
        more = len(self._reasons) - len(lines)
        lines += [f'and {more} more'] if more else []
        counted = f'{len(self._reasons)} of {self._num_images} pictures cannot be read'
        warn('\n  '.join([f'{counted} and are left out:', *lines]))


def why_unreadable(image: Image, reduction: int = 1) -> str | None:
    """Return why a picture cannot be decoded, None where it can.

    Args:
        image: The picture.
        reduction: As what it is decoded; see :meth:`Image.reduced`.
    """
    try:
        assert image.reduced(reduction).size
    except UserError as error:
        return str(error).removeprefix(f'{image.path}: ')
    return None


def readable_now(images: Iterable[Image]) -> list[bool]:
    """Return of each picture whether it can be decoded; a few are read at once."""

    def is_readable(image: Image) -> bool:
        is_read = why_unreadable(image) is None
        image.forget_pixels()
        return is_read

    # From a bucket that lacks them each takes a request.
    with ThreadPoolExecutor(_READ_AT_ONCE) as threads:
        return list(threads.map(is_readable, images))
