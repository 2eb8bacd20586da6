"""What an answer of KServe's open inference protocol, version 2, holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.teachers.output_columns import Outputs
from mmcompose.utils import UserError, first_line, problem

DTYPES: dict[str, Any] = {
    'FP16': np.float16,
    'FP32': np.float32,
    'FP64': np.float64,
    'UINT8': np.uint8,
    'UINT16': np.uint16,
    'UINT32': np.uint32,
    'UINT64': np.uint64,
    'INT8': np.int8,
    'INT16': np.int16,
    'INT32': np.int32,
    'INT64': np.int64,
    'BOOL': np.bool_,
}
HEADER = 'Inference-Header-Content-Length'

# What reading somebody's JSON for arrays may end in.
_MALFORMED = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    MemoryError,
)


def read_outputs(headers: Mapping[str, str], content: bytes, url: str) -> Outputs:
    """Return the arrays of an answer, as JSON or as bytes behind a JSON head.

    Args:
        headers: Of the answer.
        content: Of the answer.
        url: Of the model, for messages.

    Raises:
        UserError: If the answer holds no such arrays.
    """
    try:
        return _outputs(headers, content)
    except _MALFORMED as error:
        raise _unreadable(url, error) from error


def read_input_name(content: bytes, url: str) -> str:
    """Return the name of the first input by a model's metadata.

    Raises:
        UserError: If they name none.
    """
    try:
        name = json.loads(content)['inputs'][0]['name']
    except _MALFORMED as error:
        raise _unreadable(url, error) from error
    if not isinstance(name, str):
        raise _unreadable(url, TypeError(f'input name {name!r}'))
    return name


def _outputs(headers: Mapping[str, str], content: bytes) -> Outputs:
    place = int(headers.get(HEADER, len(content)))
    if not 0 <= place <= len(content):
        raise ValueError(f'{HEADER} is {place}, of {len(content)} bytes')
    answer = json.loads(content[:place])
    outputs: dict[str, NDArray[Any]] = {}
    for tensor in answer['outputs']:
        dtype = np.dtype(DTYPES[tensor['datatype']])
        shape = [int(each) for each in tensor['shape']]
        count = int(np.prod(shape, dtype=np.float64))
        if min(shape, default=0) < 0 or count * dtype.itemsize > 2**40:
            raise ValueError(f'shape {shape}')
        size = (tensor.get('parameters') or {}).get('binary_data_size')
        if size is None:
            array: NDArray[Any] = np.array(tensor['data'], dtype)
        else:
            if not 0 <= size <= len(content) - place:
                raise ValueError(f'binary_data_size {size}, of {len(content) - place} bytes')
            array = np.frombuffer(content[place : place + size], dtype)
            place += size
        if not isinstance(tensor['name'], str) or tensor['name'] in outputs:
            raise ValueError(f'output name {tensor["name"]!r}')
        outputs[tensor['name']] = array.reshape(shape)
    return outputs


def _unreadable(url: str, error: Exception) -> UserError:
    reason = f'{type(error).__name__}: {first_line(error)}'[:200]
    return UserError(problem('url', url, f'gives an answer that cannot be read ({reason})'))
