"""A server on this machine, and the teacher that is behind it, as the tests of HTTP share them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mmcompose.registry import TEACHERS, build
from mmcompose.teachers import Teacher

HEADER = 'Inference-Header-Content-Length'


class Server(ThreadingHTTPServer):
    """Serves on a free port of this machine."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(('127.0.0.1', 0), handler)
        self.lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve in a thread."""
        with self:
            thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            yield
            self.shutdown()
            thread.join(5)

    def teacher(self, key: str, **arguments: Any) -> Teacher:
        """Return the teacher behind it."""
        config = {
            'type': 'mmcompose.HTTPTeacher',
            'url': f'http://127.0.0.1:{self.server_port}',
            'model': 'toy',
            'classes': ['a', 'b'],
            'decode': 'ultralytics',
            'preprocess': {'scale': (64, 64)},
            'backoff': 0.01,
        }
        teacher: Teacher = build(TEACHERS, {**config, **arguments}, key)
        return teacher


class Handler(BaseHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *args: Any) -> None:
        pass
