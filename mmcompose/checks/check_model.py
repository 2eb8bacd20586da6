"""Look up the types and arguments of a model's modules, losses and assigners."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmdet.registry import MODELS, TASK_UTILS
from mmengine.config import Config
from mmengine.registry import Registry

from mmcompose.checks.check_constructors import argument_problems, type_problems
from mmcompose.composition import preserve_process_state
from mmcompose.registry import class_of
from mmcompose.utils import Problem
from mmcompose.utils.config_tree import last_name, walk

_MODULES = ('model', 'data_preprocessor', 'backbone', 'neck')
# Weights to start from, and who somebody is: of another package.
_OTHERS = ('init_cfg', 'reid')
_TASK_UTILS = ('assigner', 'bbox_coder', 'generator', 'iou_calculator')
# As Python words that a constructor does not take an argument.
_REFUSAL = re.compile(
    r"(?P<cls>[\w.<>]+)\.__init__\(\) got an unexpected keyword argument '(?P<argument>\w+)'"
)


def model_problems(config: Config) -> list[Problem]:
    """Return a problem for each wrong type or argument of the model and its parts."""
    model = copy.deepcopy(config.model)
    parts = list(_parts(model))
    problems = [each for part in parts for each in type_problems(*part)]
    if problems:
        return problems
    # Some heads swallow what they do not take, others call another's constructor than the next:
    # only what a constructor refuses is wrong.
    while any(argument_problems(*part, partly=True) for part in parts):
        found = _refused(model)
        refused = [each for part in parts for each in _take_out(*part, *found)]
        if not refused:
            break
        problems += refused
    return problems


def _parts(model: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Registry]]:
    """Yield each part of a model that is built by its type, its key and its registry."""
    for key, part in walk(model, 'model', lambda name: name not in _OTHERS):
        registry = _registry(last_name(key))
        # Some parts are no module of their own but arguments of the one around them.
        if registry is not None and ('type' in part or key == 'model'):
            yield key, part, registry


def _registry(name: str) -> Registry | None:
    if name in _MODULES or name.endswith('_head') or name.startswith('loss'):
        return MODELS
    return TASK_UTILS if name.endswith(_TASK_UTILS) else None


def _refused(model: Mapping[str, Any]) -> tuple[str, str]:
    """Return which class's constructor refuses which argument; empty names where none does."""
    try:
        with preserve_process_state():
            MODELS.build(copy.deepcopy(model))
    except TypeError as error:
        if match := _REFUSAL.search(str(error)):
            return match['cls'], match['argument']
    return '', ''


def _take_out(key: str, part: Any, registry: Registry, owner: str, argument: str) -> list[Problem]:
    """Take an argument out of a part that gives it to a constructor; return the problems of it."""
    cls = class_of(part, registry)
    owners = [each.__qualname__ for each in inspect.getmro(cls)] if isinstance(cls, type) else []
    if argument not in part or owner not in owners:
        return []
    problems = argument_problems(key, part, registry, partly=True)
    refused = [each for each in problems if each.value == argument]
    if refused:
        part.pop(argument)
    return refused
