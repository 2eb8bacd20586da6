"""What the tests of models share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REFERENCE = Path(sys.prefix) / 'reference'


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a test import the implementations of requirements/reference.txt, and no other test."""
    assert REFERENCE.is_dir(), f'{REFERENCE} is missing: `make setup` makes it'
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(REFERENCE))
    yield
    own = {path.name for path in REFERENCE.iterdir()}
    for name in set(sys.modules) - before:
        if name.partition('.')[0] in own:
            del sys.modules[name]
