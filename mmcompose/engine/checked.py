"""resolve, with a look at the whole config before and after: every mistake is reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmcompose.checks.check_hooks import hook_problems
from mmcompose.checks.check_value_types import LOADERS
from mmcompose.checks.preflight import (
    loader_and_file_problems,
    part_problems,
    resolved_problems,
    structure_problems,
)
from mmcompose.composition import Composition
from mmcompose.engine.read_composition import read_composition
from mmcompose.engine.resolve import Resolved, resolve
from mmcompose.utils import Mistakes, allowing


def resolve_checked(
    config: Config,
    loaders: Sequence[str] = LOADERS,
    is_run: bool = True,
    composition: Composition | None = None,
    is_here: bool = True,
) -> Resolved:
    """Return a config resolved, if nothing in it is wrong; see :func:`resolve`.

    Args:
        config: A config with ``composition``; left as it is.
        loaders: The data loaders that will be used. Defaults to all.
        is_run: Whether a Runner will be built of it. Defaults to True.
        composition: See :func:`resolve`.
        is_here: Whether that Runner will run on this machine; a device that it needs and that is
            not here is a warning otherwise. Defaults to True.

    Raises:
        UserError: With a line for each mistake, in ``composition`` and all else.
    """
    scope = config.get('default_scope')
    # One that is no string is a mistake that is reported below.
    scope = scope if isinstance(scope, str) else 'mmdet'
    with DefaultScope.overwrite_default_scope(scope), allowing(config.get('allow')):
        return _resolve_checked(config, loaders, is_run, composition, is_here)


def _resolve_checked(
    config: Config,
    loaders: Sequence[str],
    is_run: bool,
    composition: Composition | None,
    is_here: bool,
) -> Resolved:
    structure = structure_problems(config, loaders)
    mistakes = Mistakes()
    mistakes.add(*structure)
    if structure:
        # It cannot be resolved, but its composition may be wrong as well.
        if composition is None and isinstance(config.get('composition'), Mapping):
            with mistakes:
                read_composition(config)
        mistakes.raise_if_any()
    by_loader = {name: loader_and_file_problems(config, name) for name in loaders}
    mistakes.add(*(each for problems in by_loader.values() for each in problems))
    hooks = hook_problems(config) if is_run else []
    parts = part_problems(config, is_here) if is_run else []
    mistakes.add(*parts, *hooks)
    with mistakes:
        resolved = resolve(config, composition)
        with mistakes:
            resolved.composition.pipeline.check_learned()
        sound = [name for name, problems in by_loader.items() if not problems]
        looks = {'hooks': is_run and not hooks, 'training': is_run and not parts}
        mistakes.add(*resolved_problems(resolved.config, sound, **looks))
    mistakes.raise_if_any()
    return resolved
