"""What the tests of models share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

REFERENCE = Path(sys.prefix) / 'reference'
TORCHVISION = ('', 'datasets', 'models', 'ops', 'ops.boxes', 'ops.misc', 'transforms',
               'transforms.functional', 'utils')  # fmt: skip


class _Named(type):
    """The type of classes that nothing is an instance of, and whose attributes are names."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith('__'):
            raise AttributeError(name)
        return name


class _StandIn(ModuleType):
    """A module that has a class of any name."""

    __path__: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        return _Named(name, (), {})


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let one test import the implementations of requirements/reference.txt.

    effdet and timm import torchvision, of which their networks use nothing, and which does not
    import beside every torch: empty classes stand in for it.
    """
    assert REFERENCE.is_dir(), f'{REFERENCE} is missing: `make setup` makes it'
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(REFERENCE))
    for name in TORCHVISION:
        full = '.'.join(('torchvision', *filter(None, [name])))
        module = _StandIn(full)
        monkeypatch.setitem(sys.modules, full, module)
        parent, _, child = full.rpartition('.')
        if parent:
            setattr(sys.modules[parent], child, module)
    # Compiled, the empty classes would be asked for their source.
    monkeypatch.setattr(torch.jit, 'script', lambda function, *args, **kwargs: function)
    yield
    own = {path.name for path in REFERENCE.iterdir()}
    for name in set(sys.modules) - before:
        if name.partition('.')[0] in own:
            del sys.modules[name]
