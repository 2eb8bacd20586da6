"""What a reader hands over: one pickle, and one block of memory for all arrays in it."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import torch

# Smaller arrays are copied with the pickle in less time than they are kept apart.
_LARGE = 1024
_ALIGNMENT = 64


def packed(value: Any) -> tuple[bytes, torch.Tensor]:
    """Return a value as a pickle without its arrays, and these in shared memory.

    Handing a tensor to another process takes a connection to the one that made it: one for many
    pictures is a fraction of one for each.

    Args:
        value: Anything that can be pickled; tensors are on the CPU.
    """
    file = io.BytesIO()
    pickler = _Pickler(file, pickle.HIGHEST_PROTOCOL)
    pickler.dump(value)
    block = torch.empty(max(pickler.size, 1), dtype=torch.uint8).share_memory_()
    for start, content in pickler.arrays:
        block[start : start + len(content)] = content
    return file.getvalue(), block


def unpacked(pickled: bytes, block: torch.Tensor) -> Any:
    """Return what was packed; its arrays are views of the block."""
    return _Unpickler(pickled, block).load()


class _Pickler(pickle.Pickler):
    """Takes arrays out of what it pickles.

    Attributes:
        arrays: Where each begins in the block, and its bytes.
        size: Of the block.
    """

    def __init__(self, file: io.BytesIO, protocol: int) -> None:
        super().__init__(file, protocol)
        self.arrays: list[tuple[int, torch.Tensor]] = []
        self.size = 0

    def persistent_id(self, value: Any) -> Any:
        is_array = type(value) is np.ndarray
        if is_array:
            if value.nbytes < _LARGE or value.dtype.hasobject:
                return None
            content = torch.from_numpy(np.ascontiguousarray(value).reshape(-1).view(np.uint8))
        elif type(value) is torch.Tensor:
            content = value.detach().contiguous().reshape(-1).view(torch.uint8)
        else:
            return None
        start = self.size
        self.arrays.append((start, content))
        self.size = -(-(start + content.numel()) // _ALIGNMENT) * _ALIGNMENT
        return start, start + content.numel(), value.dtype, tuple(value.shape), is_array


class _Unpickler(pickle.Unpickler):
    def __init__(self, pickled: bytes, block: torch.Tensor) -> None:
        super().__init__(io.BytesIO(pickled))
        self._block = block

    def persistent_load(self, place: Any) -> Any:
        start, stop, dtype, shape, is_array = place
        content = self._block[start:stop]
        if is_array:
            return content.numpy().view(dtype).reshape(shape)
        return content.view(dtype).reshape(shape)
