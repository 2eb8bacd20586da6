"""CompleteClasses: the classes whose labels are complete in a picture."""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# The student's indices; None for all classes.
Covered: TypeAlias = tuple[int, ...] | None


class CompleteClasses:
    """Which classes have all their objects labeled in a picture: others are no background there.

    They are those that its truth covers, and those of which some owner predicted on it.

    Args:
        owners: ``(C, T)`` bool, which teachers know each class.
    """

    def __init__(self, owners: NDArray[np.bool_]) -> None:
        self._owners = owners
        # Pictures are many, and differ in few ways.
        self._found: dict[tuple[tuple[int, ...], frozenset[int]], Covered] = {}

    def of(self, unasked: tuple[int, ...] = (), truth: frozenset[int] = frozenset()) -> Covered:
        """Return the classes whose labels are complete in a picture.

        Args:
            unasked: The numbers of the teachers that did not predict on it. Defaults to none.
            truth: The classes that its truth covers. Defaults to none.
        """
        given = unasked, truth
        if given not in self._found:
            looked = np.delete(self._owners, unasked, axis=1).any(axis=1)
            complete = truth.union(np.flatnonzero(looked).tolist())
            is_all = len(complete) == len(self._owners)
            self._found[given] = None if is_all else tuple(sorted(complete))
        return self._found[given]

    def missing(self, covered: Covered) -> frozenset[int]:
        """Return the classes that are incomplete only because no owner predicted on the picture.

        Args:
            covered: What :meth:`of` returned for it.
        """
        every = range(len(self._owners))
        expected = every if self.anywhere is None else self.anywhere
        return frozenset(expected).difference(every if covered is None else covered)

    @cached_property
    def anywhere(self) -> Covered:
        """Those of a picture without truth on which all teachers predicted."""
        return self.of()
