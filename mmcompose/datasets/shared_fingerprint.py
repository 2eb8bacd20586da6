"""SharedFingerprint: one value that all processes see that hold a copy of it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch

_BITS = 64


class SharedFingerprint:
    """A fingerprint in memory that a data loader's workers share with their parent.

    Workers that persist hold a copy of the dataset from the start; what the parent sets here
    they see as well, whether they were forked or spawned. The 16 hex digits are one number of
    64 bits, which is written at once: nobody ever reads half of it.
    """

    def __init__(self) -> None:
        self._bits = torch.zeros(1, dtype=torch.int64).share_memory_()

    def set(self, fingerprint: str) -> None:
        """Set it, for every process."""
        number = int(fingerprint, 16)
        self._bits[0] = number - 2**_BITS if number >= 2 ** (_BITS - 1) else number

    def __getstate__(self) -> dict[str, Any]:
        return {'_bits': self._bits}

    @cached_property
    def _number(self) -> memoryview:
        # The same memory, of which a number is read faster than of a tensor.
        number: memoryview = self._bits.numpy().data
        return number

    def has_changed(self, since: int | None) -> bool:
        """Return whether it is another than the one of which :attr:`number` was read."""
        return self._number[0] != since

    @property
    def number(self) -> int:
        """What was set last as a number, to be compared quickly."""
        return int(self._number[0])

    def get(self) -> str:
        """Return what was set last."""
        return f'{int(self._bits[0]) % 2**_BITS:016x}'
