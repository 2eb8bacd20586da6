"""TeacherGroup: the teachers of a composition, and what was read from each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mmcompose.composition.process_state import free_memory
from mmcompose.composition.teacher_configs import (
    check_teachers,
    open_teacher,
    pop_weight,
    teacher_record,
)
from mmcompose.structures import Image
from mmcompose.teachers import Teacher
from mmcompose.utils import Mistakes, UserError, allowing, fault, key_prefix


class TeacherGroup:
    """The teachers of a composition, each opened when it is used.

    Args:
        configs: A config dict for each, by name.
        records: What was read from them earlier; see :class:`Composition`. Defaults to nothing:
            each is opened, and its classes and identity are read.
        mistakes: Takes a line for each mistake.
        allow: See :class:`Composition`.

    Attributes:
        records: What was read from each, by name, in their order.
        weights: ``(T,)`` float64, how much each one's vote counts.

    Raises:
        UserError: If there is no teacher, or one with a name that is taken.
    """

    def __init__(
        self,
        configs: Mapping[str, Mapping[str, Any]],
        records: Sequence[Mapping[str, Any]] | None,
        mistakes: Mistakes,
        allow: Sequence[str] = (),
    ) -> None:
        self._allow = tuple(allow)
        self.were_read = records is not None
        check_teachers(configs, is_resolved=self.were_read)
        if records is not None:
            # A dumped config lists keys by the alphabet; votes and weights keep the first order.
            configs = {each['name']: configs[each['name']] for each in records}
        self._configs = {name: dict(config) for name, config in configs.items()}
        self._opened: dict[str, Teacher] = {}
        self._has_predicted = False
        weights = []
        for name, config in configs.items():
            with mistakes:
                weights.append(pop_weight(name, dict(config)))
        self.weights = np.array(weights)
        self.records: dict[str, Mapping[str, Any]] = {each['name']: each for each in records or ()}
        if records is None:
            with mistakes:
                self.records = self._read(self._configs)

    @property
    def configs(self) -> dict[str, dict[str, Any]]:
        """Their config dicts, by name."""
        return {name: dict(config) for name, config in self._configs.items()}

    @property
    def classes(self) -> dict[str, Sequence[str]]:
        """The class names of each that could be read, by name."""
        return {name: record['classes'] for name, record in self.records.items()}

    def open(self, name: str) -> Teacher:
        """Return a teacher; no weights are loaded before it predicts."""
        if name not in self._opened:
            self._opened[name] = open_teacher(name, self._configs[name], self._allow)
        return self._opened[name]

    def open_to_predict(self, name: str) -> Teacher:
        """Return a teacher whose weights :meth:`close` is to free."""
        self._has_predicted = True
        return self.open(name)

    def close(self) -> None:
        """Forget the teachers, and so free their weights; a later use opens them again."""
        self._opened.clear()
        if self._has_predicted:
            free_memory()
        self._has_predicted = False

    def check(self, names: Sequence[str], images: Sequence[Image]) -> None:
        """Check that teachers can predict, and are still those that a resolved config was made of.

        Args:
            names: Of the teachers.
            images: The pool.

        Raises:
            UserError: If one has changed, or cannot predict on the pool.
        """
        if self.were_read:
            for name, now in self._read(names).items():
                if now['identity'] != self.records[name]['identity']:
                    raise UserError(
                        fault(
                            f'composition.teachers.{name}',
                            'has changed since it was read; run the config that you wrote again, '
                            'not its dump',
                        )
                    )
        for name in names:
            with key_prefix(f'composition.teachers.{name}'):
                teacher = self.open_to_predict(name)
                with allowing(teacher.allow):
                    teacher.check_pool(images)

    def _read(self, names: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        mistakes = Mistakes()
        records: dict[str, Mapping[str, Any]] = {}
        for name in names:
            with mistakes:
                records[name] = teacher_record(name, self._configs[name], self.open(name))
        mistakes.raise_if_any()
        return records
