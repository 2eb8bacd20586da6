"""Tests of Resources: who labels and who reads, with GPUs and without; there need be none."""

from __future__ import annotations

import pytest
import torch

from mmcompose.composition.resources import Resources
from mmcompose.utils import UserError


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four GPUs, of which this process is on the first, and 12 cores."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 4)
    monkeypatch.setattr(torch.cuda, 'current_device', lambda: 0)
    monkeypatch.setattr('mmcompose.composition.resources.num_cores', lambda: 12)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    monkeypatch.delenv('LOCAL_WORLD_SIZE', raising=False)


def test_without_a_gpu_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr('mmcompose.composition.resources.num_cores', lambda: 12)
    for asks_teachers in (True, False):
        assert Resources().others(asks_teachers) == 11
        assert Resources(3).others(asks_teachers) == 2
    assert Resources(3).readers == 0
    assert Resources(3).environment(1) == {}
    assert Resources(3).of_other() == Resources(3)


@pytest.mark.usefixtures('gpus')
def test_a_gpu_has_one_process_and_readers() -> None:
    assert (Resources().others(asks_teachers=True), Resources().readers) == (0, 12)
    assert Resources(5).readers == 5
    # No reader: this process reads.
    assert Resources(0).readers == 0
    assert Resources(0).others(asks_teachers=False) == 0


@pytest.mark.usefixtures('gpus')
def test_each_gpu_has_a_process_that_sees_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    some = Resources(devices=[0, 1, 3])
    assert (some.others(asks_teachers=True), some.readers) == (2, 4)
    seen = [some.environment(number) for number in range(2)]
    assert seen == [{'CUDA_VISIBLE_DEVICES': '1'}, {'CUDA_VISIBLE_DEVICES': '3'}]
    assert some.of_other() == Resources(4)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,5,6,7')
    assert some.environment(1) == {'CUDA_VISIBLE_DEVICES': '7'}


@pytest.mark.usefixtures('gpus')
def test_where_no_teacher_is_asked_processes_without_a_gpu_take_the_other_cores() -> None:
    assert Resources().others(asks_teachers=False) == 11
    assert Resources().environment(0) == {'CUDA_VISIBLE_DEVICES': ''}
    some = Resources(devices=[0, 1, 3])
    # Of 12 cores three processes have a GPU each.
    assert some.others(asks_teachers=False) == 11
    assert some.environment(2) == {'CUDA_VISIBLE_DEVICES': ''}


@pytest.mark.usefixtures('gpus')
def test_a_rank_of_a_launcher_takes_its_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('mmcompose.composition.resources.get_dist_info', lambda: (0, 8))
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '4')
    assert Resources().others(asks_teachers=True) == 0
    assert Resources().others(asks_teachers=False) == 2
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert Resources().others(asks_teachers=False) == 0


@pytest.mark.usefixtures('gpus')
@pytest.mark.parametrize(
    ('devices', 'message'),
    [([0, 4], 'no number 4'), ([1, 2], 'start it with CUDA_VISIBLE_DEVICES=1,2')],
)
def test_gpus_that_cannot_be_had_are_told(devices: list[int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Resources(devices=devices).check()


def test_a_gpu_where_there_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(UserError, match='torch sees 0 GPUs'):
        Resources(devices=[0]).check()


def test_no_gpu_at_all_is_told() -> None:
    with pytest.raises(UserError, match=r'composition\.devices: is empty'):
        Resources(devices=[]).check()
