"""Look at a run's hooks: their arguments and values, and what they declare of the config."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mmdet.registry import HOOKS, MODELS
from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EMAHook

from mmcompose.checks.check_constructors import argument_problems, type_problems, value_problems
from mmcompose.checks.checks_config import ChecksConfig
from mmcompose.registry import HOOKS as OWN_HOOKS
from mmcompose.registry import build, class_of
from mmcompose.utils import Mistakes, Problem, UserError, check_arguments, check_keys, key_prefix

# What MMEngine's Runner takes of a hook's dict itself.
_BY_RUNNER = ('priority', '_scope_')
# Of its own, MMEngine's classes may be given more than they name.
_TAKES_MORE = (EMAHook, CheckpointHook)


def hook_problems(config: Config) -> list[Problem]:
    """Return a problem for each hook's type, argument or value that is wrong.

    Args:
        config: As written: what ``resolve`` gives a hook may be missing.
    """
    return [each for key, hook in _hooks(config) for each in _problems(key, hook)]


def check_hooks(config: Config) -> None:
    """Let each hook that declares a check look at the config around it.

    Args:
        config: Resolved, in which all hooks can be built.

    Raises:
        UserError: With a line for each mistake.
    """
    mistakes = Mistakes()
    for key, hook in _hooks(config):
        if _is_own(hook):
            built = build(OWN_HOOKS, {**_arguments(hook), 'type': class_of(hook, HOOKS)}, key)
            if isinstance(built, ChecksConfig):
                with mistakes, key_prefix(key):
                    built.check(config)
    mistakes.raise_if_any()


def _hooks(config: Config) -> Iterator[tuple[str, Any]]:
    for name, hook in (config.get('default_hooks') or {}).items():
        if hook is not None:
            yield f'default_hooks.{name}', hook
    for number, hook in enumerate(config.get('custom_hooks') or ()):
        yield f'custom_hooks[{number}]', hook
    card = config.get('card')
    if card is not None:
        hook = {'type': 'mmcompose.CompositionCardHook'}
        yield 'card', {**hook, **card} if isinstance(card, Mapping) else card


def _arguments(hook: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in hook.items() if name not in _BY_RUNNER}


def _is_own(hook: Any) -> bool:
    cls = class_of(hook, HOOKS)
    return OWN_HOOKS.module_dict.get(cls.__name__) is cls


def _problems(key: str, hook: Any) -> list[Problem]:
    arguments = _arguments(hook) if isinstance(hook, Mapping) else hook
    if problems := type_problems(key, arguments, HOOKS):
        return problems
    cls = class_of(arguments, HOOKS)
    if not _is_own(arguments):
        wrong = argument_problems(key, arguments, HOOKS)
        return wrong or _passed_on_problems(key, cls, arguments) or _value_problems(key, arguments)
    names = [name for name in arguments if name != 'type']
    # `resolve` gives it what is missing.
    if check_arguments(cls, names, key) and not check_arguments(cls, names, key, partly=True):
        return value_problems(key, arguments, HOOKS)
    try:
        build(OWN_HOOKS, {**arguments, 'type': cls}, key)
    except UserError as error:
        return list(error.problems)
    return []


def _value_problems(key: str, arguments: Mapping[str, Any]) -> list[Problem]:
    # A user's own may be annotated as it likes; MMEngine's and MMDetection's are right.
    cls = class_of(arguments, HOOKS)
    known = cls.__module__.startswith(('mmengine.', 'mmdet.'))
    return value_problems(key, arguments, HOOKS) if known and cls not in _TAKES_MORE else []


def _passed_on_problems(key: str, cls: Any, arguments: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each argument that one of MMEngine's hooks refuses hours later.

    Some take anything, and pass it on where the average of the weights is made, or a checkpoint.
    """
    if cls not in _TAKES_MORE:
        return []
    own = inspect.signature(cls).parameters
    if cls is CheckpointHook:
        # It gives the Runner's `save_checkpoint` each of its arguments already.
        named = [name for name in own if name != 'kwargs']
        return check_keys(key, [name for name in arguments if name != 'type'], named)
    kind = arguments.get('ema_type', own['ema_type'].default)
    if problems := type_problems(key, {'type': kind}, MODELS):
        return [replace(each, key=f'{key}.ema_type') for each in problems]
    average = {name: value for name, value in arguments.items() if name not in own}
    return argument_problems(key, {**average, 'type': kind}, MODELS, partly=True)
