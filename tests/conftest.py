"""What tests of several rooms share: a drawn pool of pictures, with and without its truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import toys

NUM_IMAGES = 8
EMPTY = (3,)


@pytest.fixture(scope='session', autouse=True)
def unformatted_configs() -> Iterator[None]:
    """Let no run lay its config out by yapf, which takes seconds at each checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.config.config.FormatCode', lambda text, **_: (text, True))
        yield


@pytest.fixture(scope='session')
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight drawn pictures; number 3 has nothing in it."""
    folder = tmp_path_factory.mktemp('pool')
    toys.draw(folder, NUM_IMAGES, EMPTY)
    return folder


@pytest.fixture(scope='session')
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What is in the pool's pictures."""
    return toys.draw(tmp_path_factory.mktemp('again'), NUM_IMAGES, EMPTY)


@pytest.fixture(scope='session')
def truth(drawn: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Their truth, with scrambled category ids in another order than the student's."""
    path = tmp_path_factory.mktemp('truth') / 'truth.json'
    return toys.write_coco(path, drawn, {7: 'blue', 2: 'red', 5: 'green'})
