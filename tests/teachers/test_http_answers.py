"""Every malformed answer of a server is one line, and none takes for ever."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mmcompose.structures import Image
from mmcompose.utils import UserError
from tests.teachers import serving
from tests.teachers.serving import HEADER

ROW = [8, 16, 40, 48, 0.5, 1]
OUTPUT = {'name': 'o', 'datatype': 'FP32', 'shape': [1, 1, 6], 'data': ROW}


class Server(serving.Server):
    """Gives every request the same answer."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b''
        # Seconds between two bytes.
        self.drip = 0.0
        self.asked = 0


class Handler(serving.Handler):
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers['Content-Length']))
        self.do_GET()

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for place in range(len(self.server.body) if self.server.drip else 0):
                self.wfile.write(self.server.body[place : place + 1])
                time.sleep(self.server.drip)
            if not self.server.drip:
                self.wfile.write(self.server.body)
        except OSError:  # the other side has had enough
            pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    server = Server()
    with server.running():
        yield server


@pytest.fixture
def ask(server: Server) -> Callable[..., Any]:
    def make(**arguments: Any) -> Any:
        teacher = server.teacher('far', **{'input_name': 'images', 'retries': 0, **arguments})
        image = Image('a', 'a.png', 64, 64)
        vars(image)['pixels'] = np.zeros((64, 64, 3), np.uint8)
        (found,) = teacher.predict([image])
        return found

    return make


def _answer(**changes: Any) -> bytes:
    return json.dumps({'outputs': [{**OUTPUT, **changes}]}).encode()


def test_a_sound_answer_is_read(server: Server, ask: Callable[..., Any]) -> None:
    server.body = _answer()
    assert ask().boxes.tolist() == [[8, 16, 40, 48]]


@pytest.mark.parametrize('datatype', ['INT16', 'UINT16', 'UINT32', 'UINT64'])
def test_labels_may_be_of_any_type_of_the_protocol(
    server: Server, ask: Callable[..., Any], datatype: str
) -> None:
    outputs = [
        {'name': 'boxes', 'datatype': 'FP32', 'shape': [1, 1, 4], 'data': ROW[:4]},
        {'name': 'scores', 'datatype': 'FP32', 'shape': [1, 1], 'data': [0.5]},
        {'name': 'labels', 'datatype': datatype, 'shape': [1, 1], 'data': [1]},
    ]
    server.body = json.dumps({'outputs': outputs}).encode()
    assert ask(decode='detr').labels.tolist() == [1]


UNREAD = 'gives an answer that cannot be read'


# What an answer is, and what is told of it.
MALFORMED: list[tuple[bytes, str]] = [
    (b'', UNREAD),
    (b'<html>', UNREAD),
    (b'\xff\xfe\x00', UNREAD),
    (b'[' * 100_000, UNREAD),
    (b'[]', UNREAD),
    (b'{}', UNREAD),
    (b'{"outputs": 7}', UNREAD),
    (b'{"outputs": [7]}', UNREAD),
    (b'{"outputs": []}', 'needs an output, the model has none'),
    (_answer(datatype='BYTES'), UNREAD),
    (_answer(datatype=None), UNREAD),
    (_answer(shape=[1, 2, 6]), UNREAD),
    (_answer(shape=[-1, 6]), UNREAD),
    (_answer(shape='six'), UNREAD),
    (_answer(shape=[2**40, 2**40]), UNREAD),
    (_answer(data=[[1], [2, 3]]), UNREAD),
    (_answer(data=['a'] * 6), UNREAD),
    (_answer(data=None), UNREAD),
    (_answer(name=None), UNREAD),
    (_answer(parameters={'binary_data_size': 24}), UNREAD),
    (_answer(parameters={'binary_data_size': -1}), UNREAD),
    (_answer(parameters={'binary_data_size': 'x'}), UNREAD),
    (json.dumps({'outputs': [OUTPUT, OUTPUT]}).encode(), UNREAD),
    (_answer(shape=[1, 6]), 'this decoder takes'),
    (_answer(shape=[2, 1, 6], data=ROW * 2), '2 pictures of a batch of 1'),
    (_answer(data=[8, 16, 40, 48, 0.5, 7]), 'the model predicts class number 7'),
    (_answer(data=[8, 16, 40, 48, 70, 1]), 'not in'),
    (_answer(data=[8, 16, float('nan'), 48, 0.5, 1]), 'NaN'),
]


@pytest.mark.parametrize(('body', 'message'), MALFORMED)
def test_a_malformed_answer_is_one_line(
    server: Server, ask: Callable[..., Any], body: bytes, message: str
) -> None:
    server.body = body
    with pytest.raises(UserError, match=message) as caught:
        ask()
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize('length', ['x', '-1', '9999'])
def test_a_malformed_header_is_one_line(
    server: Server, ask: Callable[..., Any], length: str
) -> None:
    server.body, server.headers = _answer(), {HEADER: length}
    with pytest.raises(UserError, match=UNREAD):
        ask()


@pytest.mark.parametrize('body', [b'{}', b'{"inputs": [{"name": 7}]}', b'no json'])
def test_malformed_metadata_are_one_line(
    server: Server, ask: Callable[..., Any], body: bytes
) -> None:
    server.body = body
    with pytest.raises(UserError, match=UNREAD):
        ask(input_name=None)


def test_an_answer_may_not_be_of_any_size(server: Server, ask: Callable[..., Any]) -> None:
    server.body = b' ' * 5000
    with pytest.raises(UserError, match='gives an answer of more than 1000 bytes'):
        ask(size_limit=1000)


def test_an_answer_may_not_come_byte_by_byte(server: Server, ask: Callable[..., Any]) -> None:
    server.body, server.drip = _answer(), 0.1
    started = time.monotonic()
    with pytest.raises(UserError, match=r'gave no whole answer within 0\.5 s'):
        ask(time_limit=0.5)
    assert time.monotonic() - started < 3


def test_a_server_may_not_ask_to_wait_for_ever(server: Server, ask: Callable[..., Any]) -> None:
    server.status, server.headers = 503, {'Retry-After': '100000'}
    started = time.monotonic()
    with pytest.raises(UserError, match='gave no answer'):
        ask(retries=3, time_limit=1)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize('target', ['http://127.0.0.1:9/x', 'https://127.0.0.1/x', 'file:///etc'])
def test_no_answer_leads_to_another_server(
    server: Server, ask: Callable[..., Any], target: str
) -> None:
    server.status, server.headers = 307, {'Location': target}
    with pytest.raises(UserError, match=r'leads to .*, which is another server: give its url'):
        ask()
    assert server.asked == 1


def test_a_circle_of_redirects_ends(server: Server, ask: Callable[..., Any]) -> None:
    server.status, server.headers = 307, {'Location': '/round/'}
    with pytest.raises(UserError, match=r'leads to|refuses: 307'):
        ask()
