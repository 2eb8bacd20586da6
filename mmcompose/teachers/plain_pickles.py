"""Pickles of plain values and tensors are read; what would run a program is refused."""

from __future__ import annotations

import io
import pickle
from typing import Any

import torch

# As `pickle` has it under "Restricting Globals": nothing but what builds data. Python 2 and 3 name
# the same in two ways. No arrays of numpy, which can be made to hold any address as an object.
_NAMES = {
    **dict.fromkeys(
        ('builtins', '__builtin__'),
        'bytearray complex dict frozenset list range set slice tuple xrange',
    ),
    'collections': 'OrderedDict defaultdict',
    '_codecs': 'encode',
    'torch': 'Size device',
    'torch._utils': '_rebuild_parameter _rebuild_tensor_v2',
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle names.

        Raises:
            pickle.UnpicklingError: If it is none of what builds data.
        """
        if (module, name) == ('torch.storage', '_load_from_bytes'):
            # Torch's own would unpickle them without a check.
            return _tensors
        is_dtype = module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype)
        if is_dtype or name in _NAMES.get(module, '').split():
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f'it needs {module}.{name}')


def _tensors(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)


def load_plain_pickle(file: Any) -> Any:
    """Read a pickle of builtin containers, texts, numbers and tensors.

    Args:
        file: Opened in binary mode.

    Raises:
        pickle.UnpicklingError: If it holds, or would run, anything else.
    """
    return _PlainUnpickler(file).load()
