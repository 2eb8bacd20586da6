"""Every registry of mmcompose, under MMEngine's roots where those exist.

``locations`` lets a registry import its room the first time a name is looked up, so importing
this file imports neither torch nor any optional package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry as MMEngineRegistry
from mmengine.utils import get_object_from_string

from mmcompose.utils import (
    Problem,
    UserError,
    check_arguments,
    check_values,
    constructor_parameters,
    fault,
    key_prefix,
    problem,
)

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
METRICS = Registry(
    'metric', parent=MMENGINE_METRICS, scope=SCOPE, locations=['mmcompose.evaluation']
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
    return _made(find(registry, name, f'{key}.type'), arguments, key)


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
    cls = _registered(registry, method)
    if cls is None:
        names = list(registry.module_dict)
        expected = f'is not one of {", ".join(names)}; is its module in custom_imports?'
        raise UserError(problem('method', method, expected, names))
    return _made(cls, arguments, '', constructor_parameters(owner))


def _made(cls: Any, arguments: Mapping[str, Any], key: str, also: Iterable[str] = ()) -> Any:
    problems = check_arguments(cls, arguments, key, also=also) + check_values(cls, arguments, key)
    if problems:
        raise UserError(*problems)
    with key_prefix(key):
        return cls(**arguments)


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
    cls = _registered(registry, name)
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


def _registered(registry: Registry, name: object) -> Any:
    registry.import_from_location()
    # Not registry.get: it makes a logger, which imports torch.
    found = registry.module_dict.get(str(name).removeprefix(f'{SCOPE}.'))
    parts = str(name).split('.')
    if found is None and len(parts) > 1 and all(map(str.isidentifier, parts)):
        # As MMEngine writes a class of a config that imports it, by `with read_base()`.
        named = get_object_from_string(str(name))
        found = named if named in registry.module_dict.values() else None
    return found


def class_of(config: Mapping[str, Any], registry: MMEngineRegistry) -> Any:
    """Return the class that a config's ``type`` names or is, or None where there is none."""
    kind = config['type']
    return registry.get(kind) if isinstance(kind, str) else kind


def type_name(config: Mapping[str, Any]) -> str:
    """Return the name of a config's ``type`` without its scope."""
    kind = config['type']
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__


def is_kind(config: Any, name: str, registry: MMEngineRegistry) -> bool:
    """Return whether a value is a config whose class has a name, or derives from one that has.

    Args:
        config: Any value of a config.
        name: Of a class, without its scope.
        registry: Where the config's ``type`` is looked up.
    """
    if not isinstance(config, Mapping) or 'type' not in config:
        return False
    bases = getattr(class_of(config, registry), '__mro__', ())
    return name == type_name(config) or any(base.__name__ == name for base in bases)


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
