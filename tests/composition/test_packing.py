"""Tests of packing: what comes out is what went in, and arrays are of one block of memory."""

from __future__ import annotations

import numpy as np
import torch

from mmcompose.composition.packing import packed, unpacked


def test_arrays_of_any_kind_come_back() -> None:
    random = np.random.default_rng(0)
    value = {
        'pixels': random.integers(0, 256, (40, 30, 3), np.uint8)[::2, ::-1],
        'floats': [random.normal(size=(7, 99)).astype(np.float32).T],
        'names': np.array(['a', None] * 1000, np.object_),
        'few': np.arange(3),
        'empty': torch.zeros(0, 4),
        'scalar': torch.tensor(3, dtype=torch.int16),
        'half': torch.arange(1000.0).to(torch.bfloat16).reshape(10, 100)[:, ::3],
        'flags': torch.rand(3, 500) > 0.5,
    }
    pickled, block = packed(value)
    assert block.is_shared()
    found = unpacked(pickled, block)
    for name, expected in value.items():
        one = found[name][0] if name == 'floats' else found[name]
        expected = expected[0] if name == 'floats' else expected
        assert (one.dtype, one.shape) == (expected.dtype, expected.shape)
        assert (one == expected).all()


def test_large_arrays_do_not_travel_with_the_pickle() -> None:
    pixels = torch.zeros(3, 100, 100, dtype=torch.uint8)
    pickled, block = packed([pixels] * 3 + [pixels.numpy()])
    assert len(pickled) < 2000
    found = unpacked(pickled, block)
    block[:] = 7
    assert all((one == 7).all() for one in found)
