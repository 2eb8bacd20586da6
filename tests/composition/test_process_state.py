"""Tests that labeling leaves no trace in the process that trains afterwards."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from threadpoolctl import threadpool_info, threadpool_limits

from mmcompose.composition import preserve_process_state
from mmcompose.composition.process_state import on_one_thread


def _state() -> list[object]:
    # What the next draws would be, without drawing them.
    return [
        random.getstate(),
        # Most draws move only the place in the array.
        (np.random.get_state()[1].tolist(), np.random.get_state()[2]),
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.deterministic,
        list(DefaultScope._instance_dict),
    ]


def _disturb() -> None:
    random.random()
    np.random.rand()
    torch.rand(1)
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark
    torch.backends.cudnn.deterministic = not torch.backends.cudnn.deterministic
    DefaultScope.get_instance('of-a-teacher', scope_name='mmpretrain')


def test_everything_is_as_before() -> None:
    before = _state()
    with preserve_process_state():
        _disturb()
        assert all(now != then for now, then in zip(_state(), before, strict=True) if now != [])
    assert _state() == before


def test_everything_is_as_before_after_an_error() -> None:
    before = _state()
    with pytest.raises(ZeroDivisionError), preserve_process_state():
        _disturb()
        raise ZeroDivisionError
    assert _state() == before


def test_sums_are_of_one_thread_however_many_there_are() -> None:
    def threads() -> set[int]:
        of_numpy = {e['num_threads'] for e in threadpool_info() if e['user_api'] == 'blas'}
        return of_numpy | {torch.get_num_threads()}

    with threadpool_limits(3, user_api='blas'):
        before = _state(), threads()
        with on_one_thread():
            assert threads() == {1}
        assert (_state(), threads()) == before
