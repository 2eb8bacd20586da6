"""Every registry of mmcompose, under MMEngine's roots where those exist.

``locations`` lets a registry import its room the first time a name is looked up, so importing
this file imports neither torch nor any optional package.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any, get_type_hints

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry as MMEngineRegistry

from mmcompose.utils import Problem, UserError, check_keys, check_types, fault, key_prefix, problem

SCOPE = 'mmcompose'


class Registry(MMEngineRegistry):  # type: ignore[misc]
    """MMEngine's registry, which imports its rooms without a word.

    MMEngine's logs that it did; a logger reads its rank, and that imports torch.
    """

    _imported: bool

    def import_from_location(self) -> None:
        """Import the modules whose classes register themselves here."""
        if not self._imported:
            for location in self._locations:
                import_module(location)
            self._imported = True


RUNNERS = Registry(
    'runner', parent=MMENGINE_RUNNERS, scope=SCOPE, locations=['mmcompose.engine.runner']
)
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope=SCOPE, locations=['mmcompose.engine.hooks'])
DATASETS = Registry(
    'dataset', parent=MMENGINE_DATASETS, scope=SCOPE, locations=['mmcompose.datasets']
)
DATA_SAMPLERS = Registry(
    'data sampler',
    parent=MMENGINE_DATA_SAMPLERS,
    scope=SCOPE,
    locations=['mmcompose.datasets'],
)
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope=SCOPE,
    locations=['mmcompose.datasets.transforms'],
)
MODELS = Registry('model', parent=MMENGINE_MODELS, scope=SCOPE, locations=['mmcompose.models'])
TASK_UTILS = Registry(
    'task util', parent=MMENGINE_TASK_UTILS, scope=SCOPE, locations=['mmcompose.models']
)

# What MMEngine has no root for: a teacher kind, and a step of the label pipeline.
TEACHERS = Registry('teacher', scope=SCOPE, locations=['mmcompose.teachers'])
# What looks at pictures for label transforms that compare them.
FEATURES = Registry('picture features', scope=SCOPE, locations=['mmcompose.models'])
LABEL_TRANSFORMS = Registry('label transform', scope=SCOPE, locations=['mmcompose.labeling'])
# What `method` of ScoreCalibration, and of the learned thresholds, names.
CALIBRATIONS = Registry('calibration', scope=SCOPE, locations=['mmcompose.labeling'])
THRESHOLDS = Registry('threshold', scope=SCOPE, locations=['mmcompose.labeling'])


def list_teachers(pattern: str = '*') -> list[str]:
    """Return the kinds of teachers that a config can name, by a glob such as ``'*onnx*'``."""
    return _names(TEACHERS, pattern)


def list_label_transforms(pattern: str = '*') -> list[str]:
    """Return the label transforms that a config can name, by a glob such as ``'*fusion*'``."""
    return _names(LABEL_TRANSFORMS, pattern)


def _names(registry: Registry, pattern: str) -> list[str]:
    registry.import_from_location()
    names = sorted(f'{SCOPE}.{name}' for name in registry.module_dict)
    return [name for name in names if fnmatchcase(name.lower(), pattern.lower())]


def build(registry: Registry, config: Mapping[str, Any], key: str) -> Any:
    """Build an object from its config dict, with a clear line for each mistake in it.

    Args:
        registry: One of the above.
        config: ``dict(type=name, **arguments)``.
        key: Where the dict stands in the user's config, for messages.

    Raises:
        UserError: If the type is unknown, an argument is unknown, is missing, or is of another
            type than the class is annotated with.
    """
    if not isinstance(config, Mapping):
        raise UserError(problem(key, config, f'is no dict of a {registry.name}'))
    arguments = dict(config)
    name = arguments.pop('type', None)
    cls = find(registry, name, f'{key}.type')
    problems = check_arguments(cls, arguments, key)
    problems += check_types(key, arguments, constructor_types(cls))
    if problems:
        raise UserError(*problems)
    with key_prefix(key):
        return cls(**arguments)


def build_method(registry: Registry, method: str, arguments: Mapping[str, Any], owner: type) -> Any:
    """Build what an argument ``method`` names.

    Args:
        registry: Where it is registered.
        method: Its name there.
        arguments: Those that ``owner`` was given and does not take itself.
        owner: The class that has the argument.

    Raises:
        UserError: If there is no such method; if an argument is unknown to it and to the owner,
            is missing, is of another type or out of range.
    """
    registry.import_from_location()
    cls = registry.module_dict.get(str(method).removeprefix(f'{SCOPE}.'))
    if cls is None:
        names = list(registry.module_dict)
        expected = f'is not one of {", ".join(names)}; is its module in custom_imports?'
        raise UserError(problem('method', method, expected, names))
    own = _parameters(cls) or []
    required = [each.name for each in own if each.default is each.empty]
    known = [*(each.name for each in own), *constructor_parameters(owner)]
    problems = check_keys('', arguments, known, required)
    problems += check_types('', arguments, constructor_types(cls))
    if problems:
        raise UserError(*problems)
    return cls(**arguments)


def check_arguments(
    cls: type, arguments: Iterable[str], key: str, partly: bool = False
) -> list[Problem]:
    """Return a problem for each argument that a class does not take, or misses.

    Args:
        cls: Anyone's; one that takes anything by ``**kwargs`` has to look itself.
        arguments: The names of those that are given.
        key: Where they stand in the user's config, for messages.
        partly: Whether others give it arguments as well, so that none is missing. Defaults to
            False.
    """
    parameters = _parameters(cls)
    if parameters is None:
        return []
    required = [p.name for p in parameters if p.default is p.empty and not partly]
    return check_keys(key, arguments, [p.name for p in parameters], required)


def constructor_parameters(cls: Any) -> dict[str, inspect.Parameter]:
    """Return what a class takes by name: its constructor, and those that its ``**kwargs`` reach.

    Args:
        cls: The class, or a function that makes something.
    """
    taken: dict[str, inspect.Parameter] = {}
    for each in reversed(_constructed_by(cls)):
        taken |= inspect.signature(each).parameters
    unnamed = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {name: each for name, each in taken.items() if each.kind not in unnamed}


def constructor_types(cls: type) -> dict[str, Any]:
    """Return the types of a class's arguments, or none where they name what is not imported."""
    types: dict[str, Any] = {}
    try:
        for above in reversed(_constructed_by(cls)):
            types |= get_type_hints(vars(above)['__init__'], include_extras=True)
    except NameError:
        return {}
    return types


def _constructed_by(cls: Any) -> list[Any]:
    """Return the classes whose constructors see the arguments: ``**kwargs`` go on to the next."""
    if not inspect.isclass(cls):
        return [cls]
    seen: list[Any] = []
    for above in inspect.getmro(cls):
        if '__init__' in vars(above):
            seen.append(above)
            parameters = inspect.signature(above).parameters.values()
            if all(each.kind is not each.VAR_KEYWORD for each in parameters):
                break
    return seen


def _parameters(cls: type) -> list[inspect.Parameter] | None:
    """Return what a class takes by name; None if anything, and it has to look itself."""
    constructed_by = _constructed_by(cls)
    if constructed_by[-1] is object:
        return None if len(constructed_by) > 1 else []
    return list(constructor_parameters(cls).values())


def plugin_modules() -> list[str]:
    """Return the modules outside mmcompose that registered a teacher kind or a label transform.

    A process that starts from nothing has to import them before it builds a composition.
    """
    classes = (*TEACHERS.module_dict.values(), *LABEL_TRANSFORMS.module_dict.values())
    modules = {cls.__module__ for cls in classes}
    # A new process imports the script that was started by itself, under another name.
    return sorted(m for m in modules if m.split('.')[0] not in (SCOPE, '__main__', '__mp_main__'))


def find(registry: Registry, name: object, key: str) -> Any:
    """Return the class that ``name`` stands for in ``registry``.

    Raises:
        UserError: If there is none, naming the nearest.
    """
    if isinstance(name, type):
        return name
    if name is None:
        raise UserError(fault(key, f'is missing; name a {registry.name}'))
    registry.import_from_location()
    # Not registry.get: it makes a logger, which imports torch.
    cls = registry.module_dict.get(str(name).removeprefix(f'{SCOPE}.'))
    if cls is None:
        known = [f'{SCOPE}.{known}' for known in registry.module_dict]
        raise UserError(
            problem(
                key,
                name,
                f'is not a registered {registry.name}; is its module in custom_imports?',
                known,
            )
        )
    return cls


def class_of(config: Mapping[str, Any], registry: MMEngineRegistry) -> Any:
    """Return the class that a config's ``type`` names or is, or None where there is none."""
    kind = config['type']
    return registry.get(kind) if isinstance(kind, str) else kind


def type_name(config: Mapping[str, Any]) -> str:
    """Return the name of a config's ``type`` without its scope."""
    kind = config['type']
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__


def missing_type(key: str, value: Any, kind: str) -> list[Problem]:
    """Return a problem if a value is no dict with the name of a type, or with a class.

    Args:
        key: Where it stands in the config, for messages.
        value: The value.
        kind: What is to be built of it.
    """
    named = value.get('type') if isinstance(value, Mapping) else None
    if isinstance(named, str) or callable(named):
        return []
    return [problem(key, value, f'is no dict of a {kind}: it names no type')]


def check_values(cls: type, arguments: Mapping[str, Any], key: str) -> list[Problem]:
    """Return a problem for each argument of another type than a class is annotated with.

    Args:
        cls: Anyone's; arguments that it does not annotate are taken as they come.
        arguments: Those that are given.
        key: Where they stand in the user's config, for messages.
    """
    return check_types(key, arguments, constructor_types(cls))
