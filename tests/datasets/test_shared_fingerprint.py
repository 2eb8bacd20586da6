"""Tests of SharedFingerprint: a process that was started earlier sees what is set later."""

from __future__ import annotations

from typing import Any

import pytest
import torch.multiprocessing as mp

from mmcompose.datasets.shared_fingerprint import SharedFingerprint


@pytest.mark.parametrize('value', ['0000000000000000', '7fffffffffffffff', 'ffffffffffffffff',
                                   '8000000000000001', '00c0ffee00c0ffee'])  # fmt: skip
def test_every_fingerprint_comes_back(value: str) -> None:
    shared = SharedFingerprint()
    shared.set(value)
    assert shared.get() == value


def _tell(shared: SharedFingerprint, asked: Any, told: Any) -> None:
    while asked.get():
        told.put(shared.get())


@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_a_worker_sees_what_its_parent_sets(method: str) -> None:
    context = mp.get_context(method)
    shared, asked, told = SharedFingerprint(), context.Queue(), context.Queue()
    worker = context.Process(target=_tell, args=(shared, asked, told))
    worker.start()
    for value in ('1' * 16, 'f' * 16):
        shared.set(value)
        asked.put(True)
        assert told.get(timeout=120) == value
    asked.put(False)
    worker.join()
