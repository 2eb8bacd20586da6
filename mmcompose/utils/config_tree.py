"""A config's dicts and where each of them stands, as its file has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Tree = Mapping[str, Any]


def walk(
    config: Any, key: str = '', enter: Callable[[str], bool] | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield every dict in a config with its exact key, e.g. ``train_pipeline[3].transforms[0]``.

    The outermost first, then in the order of the file. A dict that is yielded may be changed.

    Args:
        config: A dict, a list of them or of lists, or a plain value, in which there is none.
        key: Where it stands. Defaults to a config's root.
        enter: Whether to look into the value of a dict's key of that name. Defaults to all.
    """
    if isinstance(config, (list, tuple)):
        for number, each in enumerate(config):
            yield from walk(each, f'{key}[{number}]', enter)
    elif isinstance(config, Mapping):
        yield key, config
        for name, value in list(config.items()):
            if enter is None or enter(str(name)):
                yield from walk(value, f'{key}.{name}' if key else str(name), enter)


def last_name(key: str) -> str:
    """Return the last name in a key: ``neck`` of ``model.neck[1]``."""
    return key.rpartition('.')[2].partition('[')[0]
