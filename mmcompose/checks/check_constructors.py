"""Look up the types and arguments that a config names, before a Runner builds them one by one."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmdet.datasets import MultiImageMixDataset
from mmdet.registry import DATASETS, HOOKS, MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.registry import Registry

from mmcompose.composition import preserve_process_state
from mmcompose.registry import DATA_SAMPLERS as OWN_DATA_SAMPLERS
from mmcompose.registry import DATASETS as OWN_DATASETS
from mmcompose.registry import HOOKS as OWN_HOOKS
from mmcompose.registry import MODELS as OWN_MODELS
from mmcompose.registry import TRANSFORMS as OWN_TRANSFORMS
from mmcompose.registry import check_arguments, class_of, missing_type, type_name
from mmcompose.utils import Problem, fault, problem

# By the names that MMDetection's registries of the same have.
_OWN = {
    'dataset': OWN_DATASETS,
    'model': OWN_MODELS,
    'transform': OWN_TRANSFORMS,
    'hook': OWN_HOOKS,
    'data sampler': OWN_DATA_SAMPLERS,
}
_MODULES = ('data_preprocessor', 'backbone', 'neck')
# As Python words that a constructor does not take an argument.
_REFUSAL = re.compile(
    r"(?P<cls>[\w.<>]+)\.__init__\(\) got an unexpected keyword argument '(?P<argument>\w+)'"
)


def dataset_problems(key: str, dataset: Any) -> list[Problem]:
    """Return a problem for each wrong type or argument of a dataset, those it wraps, their steps.

    Args:
        key: Where the dataset stands in the config, for messages.
        dataset: Its config.
    """
    problems = argument_problems(key, dataset, DATASETS)
    if not isinstance(dataset, Mapping):
        return problems
    for step in dataset.get('pipeline') or ():
        problems += argument_problems(f'{key}.pipeline', step, TRANSFORMS)
        if not problems and _mixes(step) and not _gives_others(dataset):
            problems.append(
                fault(
                    f'{key}.pipeline.{type_name(step)}',
                    'takes other pictures of a dataset, which this does not give; put a '
                    'MultiImageMixDataset with this step around it',
                )
            )
    if dataset.get('dataset') is not None:
        problems += dataset_problems(f'{key}.dataset', dataset['dataset'])
    for number, part in enumerate(dataset.get('datasets') or ()):
        problems += dataset_problems(f'{key}.datasets[{number}]', part)
    return problems


def _mixes(step: Mapping[str, Any]) -> bool:
    """Return whether a transform asks the dataset for more pictures, as Mosaic and MixUp do."""
    asks = inspect.getattr_static(class_of(step, TRANSFORMS), 'get_indexes', None)
    # Those that keep some of their own ask their cache.
    return asks is not None and 'dataset' in inspect.signature(asks).parameters


def _gives_others(dataset: Mapping[str, Any]) -> bool:
    """Return whether a dataset's steps get the other pictures that they ask for."""
    cls = class_of(dataset, DATASETS)
    return isinstance(cls, type) and issubclass(cls, MultiImageMixDataset)


def model_problems(config: Config) -> list[Problem]:
    """Return a problem for each wrong type or argument of the model and its modules."""
    model = copy.deepcopy(config.model)
    parts = list(_modules('model', model))
    problems = [line for key, part in parts for line in type_problems(key, part, MODELS)]
    if problems:
        return problems
    # Some heads swallow what they do not take, others call another's constructor than the next:
    # only what a constructor refuses is wrong.
    while any(_unknown_arguments(key, part) for key, part in parts):
        found = _refused(model)
        told = [line for key, part in parts for line in _take_out(key, part, *found)]
        if not told:
            break
        problems += told
    return problems


def _unknown_arguments(key: str, part: Mapping[str, Any]) -> list[Problem]:
    # A detector gives its heads their train_cfg, and more.
    return argument_problems(key, part, MODELS, partly=True)


def _refused(model: Mapping[str, Any]) -> tuple[str, str]:
    """Return which class's constructor refuses which argument; empty names where none does."""
    try:
        with preserve_process_state():
            MODELS.build(copy.deepcopy(model))
    except TypeError as error:
        if match := _REFUSAL.match(str(error)):
            return match['cls'], match['argument']
    return '', ''


def _take_out(key: str, part: Any, owner: str, argument: str) -> list[Problem]:
    """Take an argument out of a part that gives it to a constructor; return how to tell of it."""
    cls = class_of(part, MODELS)
    owners = [each.__qualname__ for each in inspect.getmro(cls)] if isinstance(cls, type) else []
    if argument not in part or owner not in owners:
        return []
    told = [each for each in _unknown_arguments(key, part) if each.value == argument]
    if told:
        part.pop(argument)
    return told


def _modules(key: str, module: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(module, (list, tuple)):
        for number, each in enumerate(module):
            yield from _modules(f'{key}[{number}]', each)
    elif isinstance(module, Mapping):
        # Some parts are no module of their own but arguments of the one around them.
        if 'type' in module or key == 'model':
            yield key, module
        for name, part in module.items():
            if name in _MODULES or name.endswith('_head'):
                yield from _modules(f'{key}.{name}', part)


def argument_problems(
    key: str, config: Any, registry: Registry, partly: bool = False
) -> list[Problem]:
    """Return the problems of a dict with a ``type``: no such type, or its arguments.

    Args:
        key: Where it stands in the config, for messages.
        config: The dict.
        registry: Where its type is looked up.
        partly: Whether whoever builds it gives it more arguments. Defaults to False.
    """
    if problems := type_problems(key, config, registry):
        return problems
    cls = class_of(config, registry)
    arguments = [name for name in config if name not in ('type', '_scope_')]
    # Of one in a list the name and not the number: `resolve` may have put others between.
    where = f'{key}.{type_name(config)}' if registry in (TRANSFORMS, HOOKS) else key
    return check_arguments(cls, arguments, where, partly) if isinstance(cls, type) else []


def type_problems(key: str, config: Any, registry: Registry) -> list[Problem]:
    """Return a problem if a dict names no ``type`` of a registry; see :func:`argument_problems`."""
    if problems := missing_type(key, config, registry.name):
        return problems
    if class_of(config, registry) is not None:
        return []
    inherited = registry.parent.module_dict if registry.parent is not None else ()
    own = (f'mmcompose.{name}' for name in getattr(_OWN.get(registry.name), 'module_dict', ()))
    expected = f'is not a registered {registry.name}; is its module in custom_imports?'
    known = [*registry.module_dict, *inherited, *own]
    return [problem(f'{key}.type', config['type'], expected, known)]
