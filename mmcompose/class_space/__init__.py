"""The student's classes, and what each teacher's classes are among them."""

from mmcompose.class_space.alias_tables import ALIAS_TABLES
from mmcompose.class_space.aliases import AliasGroups, shipped_ties
from mmcompose.class_space.class_space import ClassSpace
from mmcompose.class_space.hierarchy import Hierarchy
from mmcompose.class_space.overview import Overview, overview

__all__ = [
    'ALIAS_TABLES',
    'AliasGroups',
    'ClassSpace',
    'Hierarchy',
    'Overview',
    'overview',
    'shipped_ties',
]
