"""Tests of what distilling features minimizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmcompose.models.feature_agreement import covering, paired_levels, unexplained_share


def _maps(channels: int, size: int = 16, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, channels, size, size, generator=generator)


def test_what_an_adapter_would_predict_is_explained() -> None:
    student = _maps(6)
    adapter = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    teacher = torch.einsum('ts,bshw->bthw', adapter, student)
    assert unexplained_share(student, teacher) == pytest.approx(0, abs=0.02)


def test_what_the_student_knows_nothing_of_is_not() -> None:
    assert unexplained_share(_maps(6), _maps(4, seed=1)) == pytest.approx(1, abs=0.05)


def test_half_of_the_channels_are_half_of_the_share() -> None:
    student = _maps(4)
    teacher = torch.cat([student[:, :2], _maps(2, seed=1)], dim=1)
    assert unexplained_share(student, teacher) == pytest.approx(0.5, abs=0.05)


def test_scale_and_offset_of_either_do_not_count() -> None:
    student, teacher = _maps(3), _maps(3) + 0.5 * _maps(3, seed=1)
    plain = float(unexplained_share(student, teacher))
    assert unexplained_share(student * 7 - 2, teacher * 0.1 + 5) == pytest.approx(plain, abs=1e-4)


def test_the_student_alone_learns_and_comes_to_agree() -> None:
    student = _maps(3).requires_grad_()
    teacher = _maps(3, seed=1).requires_grad_()
    optimizer = torch.optim.Adam([student], lr=0.1)
    shares = []
    for _ in range(30):
        share = unexplained_share(student, teacher)
        optimizer.zero_grad()
        share.backward()
        optimizer.step()
        shares.append(float(share))
    assert shares[-1] < 0.3 < shares[0]
    assert teacher.grad is None


def test_dead_channels_and_sixteen_bits_are_finite() -> None:
    student = torch.zeros(1, 3, 4, 4, dtype=torch.bfloat16, requires_grad=True)
    unexplained_share(student, _maps(2, size=4)[:1].bfloat16()).backward()
    assert student.grad is not None and torch.isfinite(student.grad).all()


def test_levels_of_one_size_are_paired() -> None:
    student = [_maps(3, size) for size in (32, 16, 8, 4)]
    teacher = [_maps(5, size) for size in (16, 8)]
    pairs = list(paired_levels(student, teacher))
    assert [(a.shape[-1], b.shape[-1]) for a, b in pairs] == [(16, 16), (8, 8)]
    assert pairs[0][1] is teacher[0]


def test_levels_of_one_size_are_paired_whatever_comes_before_them() -> None:
    student = [_maps(3, size) for size in (100, 50, 25, 13, 7)]
    teacher = [_maps(5, size) for size in (200, 100, 50, 25, 13)]
    pairs = list(paired_levels(student, teacher))
    assert [(a.shape[-1], b.shape[-1]) for a, b in pairs] == [(n, n) for n in (100, 50, 25, 13)]
    assert all(b is teacher[n] for n, (_, b) in enumerate(pairs, start=1))


def test_maps_are_cut_to_where_pictures_are() -> None:
    maps = [_maps(3, size) for size in (16, 8, 1)]
    covered = covering(maps, (0.5, 0.3))
    assert [tuple(each.shape[-2:]) for each in covered] == [(8, 5), (4, 2), (1, 1)]
    assert torch.equal(covered[0], maps[0][:, :, :8, :5])
    assert all(map(torch.equal, covering(maps, (1, 1)), maps))


def test_a_teacher_of_other_sizes_is_resampled_and_no_level_taken_twice() -> None:
    pairs = list(paired_levels([_maps(3, 10)], [_maps(5, 12), _maps(5, 6)]))
    assert [tuple(b.shape) for _, b in pairs] == [(2, 5, 10, 10)]


def test_of_several_levels_near_to_one_the_nearest_is_taken() -> None:
    # Strides 4 to 32 of a picture of 416 pixels beside strides 8 to 32 of one of 256.
    student = [_maps(3, size) for size in (32, 16, 8)]
    teacher = [_maps(5, size) for size in (104, 52, 26, 13)]
    pairs = list(paired_levels(student, teacher))
    assert [a.shape[-1] for a, _ in pairs] == [32, 16]
    for (_, b), nearest in zip(pairs, teacher[2:], strict=True):
        torch.testing.assert_close(b[..., 0, 0], nearest[..., 0, 0])
