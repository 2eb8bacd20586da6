"""HTTPTeacher: a detector behind KServe's open inference protocol, version 2."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import GivenNames
from mmcompose.registry import TEACHERS
from mmcompose.teachers.arguments import at_least, optional_package
from mmcompose.teachers.output_columns import Outputs
from mmcompose.teachers.tensor_teacher import TensorTeacher
from mmcompose.utils import UserError, fault, problem, warn

_DTYPES: dict[str, Any] = {
    'FP16': np.float16,
    'FP32': np.float32,
    'FP64': np.float64,
    'UINT8': np.uint8,
    'INT8': np.int8,
    'INT32': np.int32,
    'INT64': np.int64,
    'BOOL': np.bool_,
}
# What a server says when it may be asked again.
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_HEADER = 'Inference-Header-Content-Length'


@TEACHERS.register_module()
class HTTPTeacher(TensorTeacher):
    """A detector behind KServe's open inference protocol v2 (Triton and others speak it).

    Args:
        url: Of the server, e.g. ``http://localhost:8000``.
        model: The model's name there.
        classes: Class names in the model's order, or a data set's name that MMDet knows.
        decode: What the outputs mean; see :class:`mmcompose.ONNXTeacher`.
        preprocess: What the input is made of; see
            :class:`mmcompose.teachers.preprocess.Preprocess`. ``scale`` is needed.
        version: Of the model. Defaults to the server's choice.
        batch_size: Images of a request. Defaults to 8.
        input_name: Of the input. Defaults to the one that the server's metadata names.
        datatype: Of the input, in the protocol's words. Defaults to 'FP32'.
        binary: Send and ask for arrays as bytes (the protocol's binary extension) and not as
            JSON. Defaults to False: not every server has it.
        concurrency: Requests under way at once. Defaults to 4.
        timeout: Seconds to wait for an answer. Defaults to 60.
        retries: How often to ask again after a passing fault. Defaults to 4.
        backoff: Seconds before the first repetition; doubled each time. Defaults to 0.5.
        headers: Sent with every request, e.g. an authorization. Defaults to none.
    """

    def __init__(
        self,
        url: str,
        model: str,
        classes: str | GivenNames,
        decode: str | Mapping[str, Any],
        preprocess: Mapping[str, Any],
        version: str | None = None,
        batch_size: int = 8,
        input_name: str | None = None,
        datatype: str = 'FP32',
        binary: bool = False,
        concurrency: int = 4,
        timeout: float = 60.0,
        retries: int = 4,
        backoff: float = 0.5,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(classes, decode, preprocess, batch_size)
        if not url.startswith(('http://', 'https://')):
            raise UserError(problem('url', url, 'does not begin with http:// or https://'))
        if self._preprocess.scale is None:
            raise UserError(fault('preprocess.scale', 'is missing'))
        if datatype not in _DTYPES:
            known = ', '.join(_DTYPES)
            raise UserError(problem('datatype', datatype, f'is not one of {known}', _DTYPES))
        self._preprocess.check_dtype(_DTYPES[datatype], 'datatype')
        at_least(0, retries=retries, backoff=backoff)
        at_least(1, concurrency=concurrency)
        if timeout <= 0:
            raise UserError(problem('timeout', timeout, 'is not over 0'))
        self._requests()
        self._url = f'{url.rstrip("/")}/v2/models/{model}'
        self._url += f'/versions/{version}' if version is not None else ''
        self._input_name = input_name
        self._datatype = datatype
        self._binary = binary
        self._concurrency = concurrency
        self._timeout = timeout
        self._retries = retries
        self._backoff = backoff
        self._headers = dict(headers or {})
        self._local = threading.local()

    @staticmethod
    def _requests() -> Any:
        return optional_package('requests', 'http')

    def _infer(self, batches: Iterable[NDArray[Any]]) -> Iterator[Outputs]:
        if self._input_name is None:
            self._input_name = str(self._call('GET', '').json()['inputs'][0]['name'])
        with ThreadPoolExecutor(self._concurrency) as pool:
            waiting: deque[Future[Outputs]] = deque()
            for batch in batches:
                # One more than are under way: the next picture is decoded meanwhile.
                if len(waiting) > self._concurrency:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(self._ask, batch))
            while waiting:
                yield waiting.popleft().result()

    def _ask(self, batch: NDArray[Any]) -> Outputs:
        array: NDArray[Any] = np.ascontiguousarray(batch, _DTYPES[self._datatype])
        tensor: dict[str, Any] = {
            'name': self._input_name,
            'shape': array.shape,
            'datatype': self._datatype,
        }
        if not self._binary:
            request: dict[str, Any] = {'inputs': [{**tensor, 'data': array.ravel().tolist()}]}
            body = json.dumps(request).encode()
            headers = {'Content-Type': 'application/json'}
        else:
            tensor['parameters'] = {'binary_data_size': array.nbytes}
            request = {'inputs': [tensor], 'parameters': {'binary_data_output': True}}
            head = json.dumps(request).encode()
            body = head + array.tobytes()
            headers = {'Content-Type': 'application/octet-stream', _HEADER: str(len(head))}
        return _outputs(self._call('POST', '/infer', body, headers))

    def _call(self, method: str, path: str, body: bytes | None = None, headers: Any = None) -> Any:
        """Ask until the server answers, or has been asked often enough."""
        failures = (self._requests().ConnectionError, self._requests().Timeout)
        headers = {**self._headers, **(headers or {})}
        for attempt in range(self._retries + 1):
            try:
                response = self._session().request(
                    method, self._url + path, data=body, headers=headers, timeout=self._timeout
                )
                if response.ok:
                    return response
                reason = f'{response.status_code} {response.text[:200]}'
                if response.status_code not in _PASSING:
                    raise UserError(problem('url', self._url, f'refuses: {reason}'))
            except failures as error:
                reason = str(error)
            if attempt < self._retries:
                wait = self._backoff * 2**attempt
                warn(f'{self._url}: {reason}; asking again in {wait:g} s')
                time.sleep(wait)
        expected = f'gave no answer in {self._retries + 1} attempts ({reason})'
        raise UserError(problem('url', self._url, expected))

    def _session(self) -> Any:
        # One a thread: a session keeps its connection open, and is not made to be shared.
        if not hasattr(self._local, 'session'):
            self._local.session = self._requests().Session()
        return self._local.session

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != '_local'}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _local=threading.local())


def _outputs(response: Any) -> Outputs:
    """Return the arrays of an answer, as JSON or as bytes behind a JSON head."""
    length = int(response.headers.get(_HEADER, len(response.content)))
    answer, place = json.loads(response.content[:length]), length
    outputs = {}
    for tensor in answer['outputs']:
        dtype = _DTYPES[tensor['datatype']]
        size = tensor.get('parameters', {}).get('binary_data_size')
        if size is None:
            array: NDArray[Any] = np.array(tensor['data'], dtype)
        else:
            array = np.frombuffer(response.content[place : place + size], dtype)
            place += size
        outputs[tensor['name']] = array.reshape(tensor['shape'])
    return outputs
