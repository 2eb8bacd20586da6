"""HTTPTeacher against a server of KServe's protocol v2 on this machine."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mmcompose.structures import Image
from mmcompose.teachers import Teacher
from mmcompose.teachers.http_server import connection
from mmcompose.utils import UserError
from tests.teachers import serving
from tests.teachers.serving import HEADER

# Of the protocol: a model, or one of its versions.
MODELS = ('/v2/models/toy', '/v2/models/toy/versions/2')
ROW = np.array([8, 16, 40, 48, 0, 1], np.float32)


class Server(serving.Server):
    """Predicts one box a picture, whose score is how bright the picture is."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.failures: list[int] = []
        # How many answers break off in their middle.
        self.cut = 0
        self.batches: list[int] = []
        self.delay = 0.0
        self.under_way = 0
        self.most_under_way = 0


class Handler(serving.Handler):
    server: Server
    protocol_version = 'HTTP/1.1'

    def do_GET(self) -> None:
        if self.path not in MODELS:
            self._answer(404, b'no such model')
            return
        self._answer(200, json.dumps({'inputs': [{'name': 'images'}]}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers['Content-Length']))
        if not self.path.endswith('/infer') or self.path.removesuffix('/infer') not in MODELS:
            self._answer(404, b'no such model')
            return
        with self.server.lock:
            failure = self.server.failures.pop(0) if self.server.failures else None
            self.server.under_way += 1
            self.server.most_under_way = max(self.server.most_under_way, self.server.under_way)
        time.sleep(self.server.delay)
        with self.server.lock:
            self.server.under_way -= 1
        if failure is not None:
            self._answer(failure, b'the model is not ready')
            return
        length = int(self.headers.get(HEADER, len(body)))
        request = json.loads(body[:length])
        (tensor,) = request['inputs']
        assert tensor['name'] == 'images'
        assert tensor['datatype'] == 'FP32'
        binary = HEADER in self.headers
        data = np.frombuffer(body[length:], np.float32) if binary else np.array(tensor['data'])
        pictures = data.reshape(tensor['shape'])
        self.server.batches.append(len(pictures))
        rows = np.tile(ROW, (len(pictures), 1, 1))
        rows[:, 0, 4] = pictures.mean(axis=(1, 2, 3)) / 255
        output: dict[str, Any] = {'name': 'o', 'datatype': 'FP32', 'shape': rows.shape}
        if binary:
            output['parameters'] = {'binary_data_size': rows.nbytes}
            head = json.dumps({'outputs': [output]}).encode()
            self._answer(200, head + rows.tobytes(), len(head))
        else:
            output['data'] = rows.ravel().tolist()
            self._answer(200, json.dumps({'outputs': [output]}).encode())

    def _answer(self, status: int, body: bytes, head: int | None = None) -> None:
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        if head is not None:
            self.send_header(HEADER, str(head))
        self.end_headers()
        if status == 200 and self.server.cut:
            self.server.cut -= 1
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with server.running():
        yield server


@pytest.fixture
def teacher(server: Server) -> Callable[..., Teacher]:
    def make(**arguments: Any) -> Teacher:
        return server.teacher('composition.teachers.far', **{'timeout': 10, **arguments})

    return make


def _pictures(count: int) -> list[Image]:
    images = [Image(f'{n}', f'{n}.png', 128, 64) for n in range(count)]
    for number, image in enumerate(images):
        vars(image)['pixels'] = np.full((64, 128, 3), 25 * (number + 1), np.uint8)
    return images


@pytest.mark.parametrize('binary', [False, True])
def test_every_picture_gets_its_own_answer(
    server: Server, teacher: Callable[..., Teacher], binary: bool
) -> None:
    found = teacher(binary=binary, batch_size=3).predict(_pictures(8))
    scores = [float(one.scores[0]) for one in found]
    assert scores == pytest.approx([25 * n / 255 for n in range(1, 9)])
    assert found[0].boxes.tolist() == [[16, 16, 80, 48]]
    assert found[0].labels.tolist() == [1]
    assert sorted(server.batches) == [2, 3, 3]


def test_requests_run_side_by_side_but_no_more_than_allowed(
    server: Server, teacher: Callable[..., Teacher]
) -> None:
    server.delay = 0.05
    teacher(concurrency=3, batch_size=1, binary=True).predict(_pictures(9))
    assert server.most_under_way == 3


def test_a_passing_fault_is_asked_again(server: Server, teacher: Callable[..., Teacher]) -> None:
    server.failures = [503, 429]
    (found,) = teacher(concurrency=1).predict(_pictures(1))
    assert len(found) == 1


def test_a_fault_that_stays_ends(server: Server, teacher: Callable[..., Teacher]) -> None:
    server.failures = [503] * 10
    with pytest.raises(UserError, match=r'gave no answer in 3 attempts \(503 the model is not'):
        teacher(retries=2).predict(_pictures(1))
    assert len(server.failures) == 7


def test_the_first_repetition_waits_too(
    server: Server, teacher: Callable[..., Teacher], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(connection, 'warn', told.append)
    server.failures = [503] * 3
    teacher(retries=3, backoff=0.001).predict(_pictures(1))
    assert [line.split('asking again in ')[1] for line in told] == ['0.001 s', '0.002 s', '0.004 s']


def test_an_answer_that_breaks_off_is_asked_for_again(
    server: Server, teacher: Callable[..., Teacher]
) -> None:
    one = teacher(concurrency=1, retries=2, input_name='images')
    server.cut = 2
    (found,) = one.predict(_pictures(1))
    assert (len(found), len(server.batches)) == (1, 3)
    # Whatever goes wrong, there are as many attempts in all.
    server.cut, server.failures, server.batches = 9, [503], []
    with pytest.raises(UserError, match=r'gave no answer in 3 attempts \(.*IncompleteRead'):
        one.predict(_pictures(1))
    assert (len(server.failures), len(server.batches)) == (0, 2)


def test_a_model_and_its_version_are_asked_by_name(teacher: Callable[..., Teacher]) -> None:
    (found,) = teacher(version='2').predict(_pictures(1))
    assert len(found) == 1
    for wrong in ({'model': 'tyo'}, {'version': '3'}):
        with pytest.raises(UserError, match='refuses: 404 no such model'):
            teacher(**wrong).predict(_pictures(1))


def test_a_refusal_is_told_at_once(server: Server, teacher: Callable[..., Teacher]) -> None:
    server.failures = [400]
    with pytest.raises(UserError, match='refuses: 400 the model is not ready'):
        teacher().predict(_pictures(1))


def test_a_server_that_is_slow_times_out(server: Server, teacher: Callable[..., Teacher]) -> None:
    server.delay = 0.5
    with pytest.raises(UserError, match=r'gave no answer in 1 attempts .*timed out'):
        teacher(timeout=0.1, retries=0).predict(_pictures(1))


def test_no_server_is_told(teacher: Callable[..., Teacher]) -> None:
    # Port 9 discards: nothing listens there.
    with pytest.raises(UserError, match='gave no answer in 2 attempts'):
        teacher(url='http://127.0.0.1:9', retries=1).predict(_pictures(1))


def test_no_pictures_ask_for_little_and_a_teacher_can_be_sent_to_a_worker(
    teacher: Callable[..., Teacher],
) -> None:
    made = teacher(input_name='images')
    assert made.predict([]) == []
    assert len(pickle.loads(pickle.dumps(made)).predict(_pictures(1))) == 1


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'url': 'localhost:8000'}, r'^composition\.teachers\.far\.url: .* does not begin with'),
        ({'preprocess': {}}, r'preprocess\.scale: is missing'),
        ({'datatype': 'BOOL'}, 'datatype: takes bool, which holds no pixel from 0 to 255'),
        ({'datatype': 'FLOAT32'}, "'FLOAT32' is not one of .* did you mean 'FP32'"),
    ],
)
def test_a_mistake_is_told_with_its_key(
    teacher: Callable[..., Teacher], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        teacher(**arguments)
