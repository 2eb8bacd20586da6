"""Look at the constructor of the optimizer wrapper and its options by parameter."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from mmdet.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS, OPTIMIZERS
from mmengine.optim import DefaultOptimWrapperConstructor

from mmcompose.composition import preserve_process_state
from mmcompose.registry import class_of, type_name
from mmcompose.utils import (
    Problem,
    check_keys,
    check_types,
    constructor_parameters,
    first_line,
    logging_from,
    problem,
)

_KEY = 'optim_wrapper'
_OPTIONS = f'{_KEY}.paramwise_cfg'
_DEFAULT = 'DefaultOptimWrapperConstructor'
# What MMEngine's own reads; it passes over any other.
_READ: Mapping[str, Any] = {
    'custom_keys': Mapping[str, Mapping[str, Any]],
    **dict.fromkeys(
        (
            'bias_lr_mult',
            'bias_decay_mult',
            'norm_decay_mult',
            'dwconv_decay_mult',
            'flat_decay_mult',
            'dcn_offset_lr_mult',
        ),
        float | None,
    ),
    'bypass_duplicate': bool,
}
_MULTIPLIERS = {'lr_mult': float, 'decay_mult': float}


def optim_constructor_problems(wrapper: Mapping[str, Any], model: Any = None) -> list[Problem]:
    """Return a problem if the constructor would not make an optimizer wrapper of the model.

    MMEngine finds it when training begins, after all labels are made.

    Args:
        wrapper: The optimizer wrapper's config; it can be built on this machine, with the
            optimizer that it names.
        model: The model's, resolved: it can be built. Defaults to None, which leaves it at the
            constructor itself.
    """
    given = {'type': wrapper.get('constructor') or _DEFAULT}
    cls = class_of(given, OPTIM_WRAPPER_CONSTRUCTORS)
    if cls is None:
        inherited = OPTIM_WRAPPER_CONSTRUCTORS.parent.module_dict
        known = [*OPTIM_WRAPPER_CONSTRUCTORS.module_dict, *inherited]
        expected = 'is not a registered constructor; is its module in custom_imports?'
        return [problem(f'{_KEY}.constructor', given['type'], expected, known)]
    options = wrapper.get('paramwise_cfg')
    is_default = cls is DefaultOptimWrapperConstructor
    if is_default and (problems := list(_option_problems(options, wrapper.get('optimizer')))):
        return problems
    # What MMEngine's own makes of any model is known.
    refusal = _refusal(given, wrapper, None if is_default else model)
    if refusal is None:
        return []
    key, value = (_OPTIONS, options) if options else (f'{_KEY}.constructor', given['type'])
    return [problem(key, value, f'is refused by {type_name(given)}: {refusal}')]


def _option_problems(options: Any, optimizer: Any) -> Iterator[Problem]:
    """Yield a problem for each option of MMEngine's own constructor that has no effect."""
    if options is None:
        return
    if wrong := check_types(_KEY, {'paramwise_cfg': options}, {'paramwise_cfg': Mapping[str, Any]}):
        yield from wrong
        return
    wrong = check_types(_OPTIONS, options, _READ)
    yield from check_keys(_OPTIONS, options, _READ)
    yield from wrong
    if wrong:
        return
    # Groups of parameters have the optimizer's own arguments as well.
    taken = () if optimizer is None else constructor_parameters(class_of(optimizer, OPTIMIZERS))
    known = [*_MULTIPLIERS, *(name for name in taken if name != 'params')]
    for name, each in options.get('custom_keys', {}).items():
        key = f'{_OPTIONS}.custom_keys.{name}'
        yield from check_keys(key, each, known)
        yield from check_types(key, each, _MULTIPLIERS)
    decays = {name: each for name, each in options.items() if name.endswith('decay_mult')}
    for name, each in options.get('custom_keys', {}).items():
        decays |= {f'custom_keys.{name}.{n}': m for n, m in each.items() if n == 'decay_mult'}
    has_none = isinstance(optimizer, Mapping) and optimizer.get('weight_decay') is None
    for name, value in decays.items():
        if has_none and value is not None:
            expected = f'multiplies {_KEY}.optimizer.weight_decay, which is not set'
            yield problem(f'{_OPTIONS}.{name}', value, expected)


def _refusal(constructor: Mapping[str, Any], wrapper: Mapping[str, Any], model: Any) -> str | None:
    """Return why a constructor makes no optimizer wrapper, or None where it does.

    Args:
        constructor: Its type.
        wrapper: The optimizer wrapper's config.
        model: The model's; None leaves it at the constructor itself.
    """
    own = copy.deepcopy(dict(wrapper))
    own.pop('constructor', None)
    options = own.pop('paramwise_cfg', None)
    with preserve_process_state(), logging_from(logging.CRITICAL):
        built = None if model is None else MODELS.build(copy.deepcopy(model))
        try:
            made = OPTIM_WRAPPER_CONSTRUCTORS.build(
                {**constructor, 'optim_wrapper_cfg': own, 'paramwise_cfg': options}
            )
            if built is not None:
                made(built)
        # One of a user's own may raise anything.
        except Exception as error:
            return first_line(error) or type(error).__name__
    return None
