"""ClassSpace: the student's classes, and what each teacher's classes are among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space.alias_tables import AliasTable
from mmcompose.class_space.aliases import AliasGroups, shipped_ties
from mmcompose.class_space.class_names import is_placeholder
from mmcompose.class_space.hierarchy import Hierarchy, coarse_names
from mmcompose.structures import Detections
from mmcompose.utils import (
    Problem,
    UserError,
    check_values,
    examples,
    fault,
    nearest,
    problem,
)

DROPPED = -1
# How many names a message lists.
SHOWN = 8

TeacherMapping = Mapping[str, str | None]


class ClassSpace:
    """The student's classes, and for each teacher which of them its own classes are.

    Args:
        teacher_classes: For each teacher, by name, its class names in its own order.
        classes: The student's classes, in order. None makes the union of the teachers'
            classes, in order of first sight.
        aliases: Names of shipped tables, or mappings from a name to its synonyms. Tables may
            overlap: groups that share a name become one.
        mapping: For each teacher, its class name to the student's, or to None to drop it.
            Goes before names and aliases.
        on_unmapped: What becomes of a teacher's class that is no student class: 'error', or
            'drop'. Placeholders ('N/A', 'LABEL_7', an empty name) are dropped without a word.
        hierarchy: By coarse class those just below it, e.g. ``dict(animal=['cat', 'dog'])``. A
            label pipeline with ``mmcompose.ResolveHierarchy`` makes use of it. The student need not
            have the coarse class: a teacher's boxes of it then support finer ones, and no more.

    Raises:
        UserError: With a line for each name that does not fit.
    """

    # Where its arguments stand in the config, for messages.
    key = 'composition.class_space'

    def __init__(
        self,
        teacher_classes: Mapping[str, Sequence[str]],
        classes: Sequence[str] | None = None,
        aliases: Sequence[str | AliasTable] = (),
        mapping: Mapping[str, TeacherMapping] | None = None,
        on_unmapped: str = 'error',
        hierarchy: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        given = dict(
            teacher_classes=_listed(teacher_classes),
            classes=classes,
            aliases=aliases,
            mapping=mapping,
            on_unmapped=on_unmapped,
            hierarchy=hierarchy,
        )
        if problems := check_values(ClassSpace, given, self.key):
            raise UserError(*problems)
        if on_unmapped not in ('error', 'drop'):
            raise UserError(
                problem(f'{self.key}.on_unmapped', on_unmapped, "is neither 'error' nor 'drop'")
            )
        mapping = mapping or {}
        # By teacher its own class names, in its own order.
        self.teacher_classes = {name: tuple(names) for name, names in teacher_classes.items()}
        self._aliases = AliasGroups(aliases, f'{self.key}.aliases')
        self._check_mapping(mapping)
        # What each teacher's class is called once the mapping has spoken; None is dropped.
        wanted = {
            teacher: [
                mapping.get(teacher, {}).get(name, None if is_placeholder(name) else name)
                for name in names
            ]
            for teacher, names in teacher_classes.items()
        }
        seen = [name for names in wanted.values() for name in names if name is not None]
        if classes is None and not seen:
            raise UserError(fault(f'{self.key}.mapping', 'drops every class of the teachers'))
        self.classes = self._union(seen) if classes is None else self._explicit(classes)
        # How many of `classes` are the student's: all, but in :attr:`with_coarse`.
        self.num_classes = len(self.classes)
        self._index = self._indexed(self.classes)
        # Coarse classes of the hierarchy that the student lacks.
        self.coarse = self._union(coarse_names(hierarchy or {}, self._index, self._indexed(seen)))
        accepted = self._indexed((*self.classes, *self.coarse))
        self._check_targets(mapping, accepted)
        self._indices = {teacher: self.index(names) for teacher, names in wanted.items()}
        # By teacher its classes that fit nowhere, though no mapping drops them.
        self.unmapped = {
            teacher: unmapped
            for teacher, names in wanted.items()
            if (unmapped := [n for n in names if n is not None and n not in accepted])
        }
        if on_unmapped == 'error' and self.unmapped:
            raise UserError(
                *(self._unmapped_problem(t, names) for t, names in self.unmapped.items())
            )
        self.hierarchy = Hierarchy(hierarchy or {}, (*self.classes, *self.coarse), accepted)
        self._arguments = (aliases, mapping, hierarchy)

    def _indexed(self, names: Sequence[str]) -> dict[str, int]:
        return {
            alias: index for index, name in enumerate(names) for alias in self._aliases.group(name)
        }

    def _union(self, names: Sequence[str]) -> tuple[str, ...]:
        classes: dict[str, str] = {}
        for name in names:
            classes.setdefault(self._aliases.group(name)[0], name)
        return tuple(classes.values())

    def _explicit(self, classes: Sequence[str]) -> tuple[str, ...]:
        problems = []
        by_group: dict[str, list[str]] = {}
        for name in classes:
            same = by_group.setdefault(self._aliases.group(name)[0], [])
            if not name.strip():
                problems.append(problem(f'{self.key}.classes', name, 'is no class name'))
            for earlier in same:
                if earlier == name:
                    problems.append(problem(f'{self.key}.classes', name, 'is listed twice'))
                else:
                    problems.append(
                        fault(
                            f'{self.key}.aliases',
                            f'one class has two names in {self.key}.classes, '
                            f'{earlier!r} and {name!r}',
                        )
                    )
            same.append(name)
        if not len(classes):
            expected = 'is empty; give names, or None for the union'
            problems.append(fault(f'{self.key}.classes', expected))
        if problems:
            raise UserError(*problems)
        return tuple(classes)

    @property
    def teachers(self) -> tuple[str, ...]:
        """The teachers' names, in the order in which votes and owners list them."""
        return tuple(self._indices)

    @cached_property
    def owners(self) -> NDArray[np.bool_]:
        """``(C, T)`` bool: which of the T teachers know each of the C student classes."""
        owners = np.zeros((len(self.classes), len(self._indices)), np.bool_)
        for column, indices in enumerate(self._indices.values()):
            owners[indices[indices != DROPPED], column] = True
        owners.flags.writeable = False
        return owners

    @cached_property
    def with_coarse(self) -> ClassSpace:
        """The classes in which teachers predict: the student's, then the coarse ones it lacks.

        Label transforms work in it; labels from ``num_classes`` on never reach the student.
        """
        return self._with(self.coarse) if self.coarse else self

    @cached_property
    def with_unmapped(self) -> ClassSpace:
        """The same with a class for each name that fits nowhere, after the student's."""
        names = [name for unmapped in self.unmapped.values() for name in unmapped]
        return self._with((*self.coarse, *self._union(names)))

    def _with(self, more: Sequence[str]) -> ClassSpace:
        aliases, mapping, hierarchy = self._arguments
        classes = (*self.classes, *more)
        space = type(self)(self.teacher_classes, classes, aliases, mapping, 'drop', hierarchy)
        space.num_classes = self.num_classes
        return space

    @property
    def names(self) -> Mapping[str, int]:
        """The student's index of each name that :meth:`index` finds: its classes and aliases."""
        return self._index

    def index(self, names: Sequence[str | None]) -> NDArray[np.int64]:
        """Return the student's index of each name or alias, -1 where it has no such class."""
        found = [DROPPED if n is None else self._index.get(n, DROPPED) for n in names]
        return np.array(found, np.int64)

    def teacher_index(self, teacher: str) -> NDArray[np.int64]:
        """Return the student's index of each of a teacher's classes, -1 where dropped."""
        return self._indices[teacher]

    def convert(self, teacher: str, detections: Detections) -> Detections:
        """Turn a teacher's label indices into the student's; dropped classes lose their boxes."""
        labels = self._indices[teacher][detections.labels]
        kept = labels != DROPPED
        if kept.all():
            return detections.with_fields(labels=labels)
        return detections[kept].with_fields(labels=labels[kept])

    def mapping_key(self, teacher: str) -> str:
        """Return where a teacher's mapping stands in the config, for messages."""
        return f'{self.key}.mapping.{teacher}'

    def described(self, teacher: str) -> str:
        """Return what messages call a teacher."""
        return f'teacher {teacher}'

    def _check_mapping(self, mapping: Mapping[str, TeacherMapping]) -> None:
        problems = []
        for teacher, targets in mapping.items():
            if teacher not in self.teacher_classes:
                key, known = f'{self.key}.mapping', self.teacher_classes
                problems.append(problem(key, teacher, 'is not a teacher', known))
                continue
            key, names = self.mapping_key(teacher), self.teacher_classes[teacher]
            expected = f'is not a class of {self.described(teacher)}'
            problems += [problem(key, n, expected, names) for n in targets if n not in names]
            problems += [
                problem(f'{key}.{name}', target, 'is no class name; None drops the class')
                for name, target in targets.items()
                if target is not None and not target.strip()
            ]
        if problems:
            raise UserError(*problems)

    def _check_targets(
        self, mapping: Mapping[str, TeacherMapping], index: Mapping[str, int]
    ) -> None:
        expected = 'is not a class of the student'
        problems = [
            problem(f'{self.mapping_key(teacher)}.{name}', target, expected, index)
            for teacher, targets in mapping.items()
            for name, target in targets.items()
            if target is not None and target not in index
        ]
        if problems:
            raise UserError(*problems)

    def _unmapped_problem(self, teacher: str, unmapped: Sequence[str]) -> Problem:
        ties = {name: (other, t) for name, other, t in shipped_ties(unmapped, self.classes)}
        near = {name: nearest(name, self.classes) for name in unmapped}
        shown = []
        # What can be helped with first: the list may be long.
        for name in sorted(unmapped, key=lambda name: (name not in ties, not near[name])):
            if name in ties:
                shown.append(f'{name!r} ({ties[name][0]!r} in the alias table {ties[name][1]!r})')
            else:
                shown.append(
                    f'{name!r} (did you mean {near[name]!r}?)' if near[name] else repr(name)
                )
        return fault(
            self.key,
            f'{len(unmapped)} classes of {self.described(teacher)} are no class of the student: '
            f'{examples(shown, SHOWN)}; name each in {self.mapping_key(teacher)} '
            "(None drops it), or set on_unmapped='drop'",
        )


def _listed(teacher_classes: Any) -> Any:
    """Return names as lists where they come in an array or as the keys of a dict."""
    if not isinstance(teacher_classes, Mapping):
        return teacher_classes
    plain = (str, Mapping)
    return {
        name: list(names) if isinstance(names, Iterable) and not isinstance(names, plain) else names
        for name, names in teacher_classes.items()
    }
