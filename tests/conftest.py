"""What tests of several rooms share: a drawn pool of pictures, with and without its truth."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import config, utils

from tests import s3, toys

NUM_IMAGES = 8
EMPTY = (3,)


def pytest_collection_finish() -> None:
    """Let collections of garbage, one for each teacher, pass over what all tests have imported."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope='session', autouse=True)
def unformatted_configs() -> Iterator[None]:
    """Let no run lay its config out by yapf, which takes seconds at each checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        # MMEngine's forks import it where it is used.
        for name in ('mmengine.config.config', 'yapf.yapflib.yapf_api'):
            patch.setattr(f'{name}.FormatCode', lambda text, **_: (text, True), raising=False)
        yield


@pytest.fixture(scope='session', autouse=True)
def index_read_once() -> Iterator[None]:
    """Read MMDetection's index of configs once, not at each ``mmdet::`` name: half a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, 'is_installed', functools.cache(config.is_installed))
        patch.setattr(utils, 'load', functools.cache(utils.load))
        yield


@pytest.fixture(scope='session')
def bucket() -> Iterator[str]:
    """The URL of a bucket of an S3 server on this machine."""
    with s3.serving() as url:
        yield url


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
