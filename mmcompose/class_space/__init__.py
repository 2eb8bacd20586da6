"""The student's classes, and what each teacher's classes are among them."""

from mmcompose.class_space.aliases import ALIAS_TABLES, AliasGroups
from mmcompose.class_space.class_space import ClassSpace

__all__ = ['ALIAS_TABLES', 'AliasGroups', 'ClassSpace']
