"""The student's classes, and what each teacher's classes are among them."""

from mmcompose.class_space.alias_tables import ALIAS_TABLES
from mmcompose.class_space.aliases import AliasGroups, shipped_ties
from mmcompose.class_space.class_names import (
    GivenNames,
    check_order,
    class_names,
    is_placeholder,
    stored_names,
)
from mmcompose.class_space.class_space import ClassSpace
from mmcompose.class_space.hierarchy import Hierarchy
from mmcompose.class_space.overview import (
    Overview,
    overview,
    owned_by_name_only,
    spelled_alike,
)

__all__ = [
    'ALIAS_TABLES',
    'AliasGroups',
    'ClassSpace',
    'GivenNames',
    'Hierarchy',
    'Overview',
    'check_order',
    'class_names',
    'is_placeholder',
    'overview',
    'owned_by_name_only',
    'shipped_ties',
    'spelled_alike',
    'stored_names',
]
