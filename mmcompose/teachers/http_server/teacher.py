"""HTTPTeacher: a detector behind KServe's open inference protocol, version 2."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import GivenNames
from mmcompose.registry import TEACHERS
from mmcompose.structures import Detections, Image
from mmcompose.teachers.batches import in_batches
from mmcompose.teachers.http_server.answers import DTYPES, HEADER, read_input_name, read_outputs
from mmcompose.teachers.output_columns import Outputs
from mmcompose.teachers.preprocess import Geometry
from mmcompose.teachers.tensor_teacher import TensorTeacher
from mmcompose.utils import (
    Count,
    Name,
    Positive,
    Range,
    UserError,
    fault,
    optional_package,
    problem,
)

_LIMITS = ('timeout', 'retries', 'backoff', 'time_limit', 'size_limit')
# Headers, in lower case.
_CREDENTIALS = ('authorization', 'proxy-authorization', 'cookie', 'x-api-key')


@TEACHERS.register_module()
class HTTPTeacher(TensorTeacher):
    """A detector behind KServe's open inference protocol v2 (Triton and others implement it).

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
        binary: Send and receive arrays as bytes (the protocol's binary extension) and not as
            JSON. Defaults to False: not every server has it.
        concurrency: Requests under way at once. Defaults to 4.
        timeout: Seconds without a byte of an answer. Defaults to 60.
        retries: How often to repeat a request after a passing fault. Defaults to 4.
        backoff: Seconds before the first repetition; doubled each time. Defaults to 0.5.
        headers: Sent with every request, e.g. an authorization. Some choose the model, as ``Host``
            does of KServe: another value is another teacher, which predicts anew, but for
            credentials (Authorization, Proxy-Authorization, Cookie, X-API-Key). Defaults to none.
        time_limit: Seconds for a request with all its repetitions. Defaults to 600.
        size_limit: Bytes that an answer may have. Defaults to 256 MiB.
    """

    unaddressed = frozenset({'batch_size', 'concurrency', 'headers', *_LIMITS})

    def __init__(
        self,
        url: Name,
        model: Name,
        classes: Name | GivenNames,
        decode: Name | Mapping[str, Any],
        preprocess: Mapping[str, Any],
        version: Name | None = None,
        batch_size: Count = 8,
        input_name: Name | None = None,
        datatype: Name = 'FP32',
        binary: bool = False,
        concurrency: Count = 4,
        timeout: Positive = 60.0,
        retries: Annotated[int, Range(0)] = 4,
        backoff: Annotated[float, Range(0)] = 0.5,
        headers: Mapping[str, str] | None = None,
        time_limit: Positive = 600.0,
        size_limit: Count = 2**28,
    ) -> None:
        super().__init__(classes, decode, preprocess, batch_size)
        if not url.startswith(('http://', 'https://')):
            raise UserError(problem('url', url, 'does not begin with http:// or https://'))
        if self._preprocess.scale is None:
            raise UserError(fault('preprocess.scale', 'is missing'))
        if datatype not in DTYPES:
            known = ', '.join(DTYPES)
            raise UserError(problem('datatype', datatype, f'is not one of {known}', DTYPES))
        self._preprocess.check_dtype(DTYPES[datatype], 'datatype')
        optional_package('urllib3', 'http')
        from mmcompose.teachers.http_server.connection import Connection

        self._url = f'{url.rstrip("/")}/v2/models/{model}'
        self._url += f'/versions/{version}' if version is not None else ''
        self._headers = dict(headers or {})
        self._connection = Connection(
            self._url, self._headers, timeout, time_limit, size_limit, retries, backoff
        )
        self._input_name = input_name
        self._datatype = datatype
        self._binary = binary
        self._concurrency = concurrency

    @property
    def identity(self) -> Any:
        """See :attr:`Teacher.identity`: headers that may choose the model, not who asks it."""
        headers = {name.lower(): value for name, value in self._headers.items()}
        counted = {name: value for name, value in headers.items() if name not in _CREDENTIALS}
        identity: dict[str, Any] = super().identity
        return {**identity, 'headers': counted} if counted else identity

    def predict(self, images: Sequence[Image]) -> list[Detections]:
        """See :meth:`Teacher.predict`."""
        chunks = list(in_batches(images, self._batch_size))
        geometries: list[Geometry] = []

        def prepare() -> Iterator[NDArray[Any]]:
            for chunk in chunks:
                arrays, places = zip(*map(self.prepare, chunk), strict=True)
                geometries.extend(places)
                yield np.stack(arrays)

        found: list[Detections] = []
        for chunk, outputs in zip(chunks, self._infer(prepare()), strict=True):
            start = len(found)
            found += self._to_detections(outputs, geometries[start : start + len(chunk)])
        return found

    def _infer(self, batches: Iterable[NDArray[Any]]) -> Iterator[Outputs]:
        if self._input_name is None:
            _, content = self._connection.call('GET', '')
            self._input_name = read_input_name(content, self._url)
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
        array: NDArray[Any] = np.ascontiguousarray(batch, DTYPES[self._datatype])
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
            headers = {'Content-Type': 'application/octet-stream', HEADER: str(len(head))}
        return read_outputs(*self._connection.call('POST', '/infer', body, headers), self._url)
