"""Malformed answers of an inference server: each is told in one line."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

import numpy as np

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image
from mmcompose.utils import UserError
from tests.teachers.test_http_answers import MALFORMED, Server


@dataclass
class Answer:
    """A malformed answer, and what became of it.

    Args:
        body: How it begins.
        told: The lines in which it was told; none where it was taken for an answer.
    """

    body: str
    told: list[str]


def ask_for_malformed_answers() -> list[Answer]:
    """Let a teacher ask a server that gives each of them."""
    found = []
    os.environ['no_proxy'] = '127.0.0.1'
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        for body, _ in MALFORMED:
            server.body = body
            try:
                _ask(server)
                told = []
            except UserError as error:
                told = str(error).splitlines()
            found.append(Answer(repr(body[:60]), told))
        server.shutdown()
    return found


def _ask(server: Server) -> None:
    config = {
        'type': 'mmcompose.HTTPTeacher',
        'url': f'http://127.0.0.1:{server.server_port}',
        'model': 'toy',
        'classes': ['a', 'b'],
        'decode': 'ultralytics',
        'preprocess': {'scale': (64, 64)},
        'input_name': 'images',
        'retries': 0,
    }
    build(TEACHERS, config, 'far').predict([Image.of(np.zeros((64, 64, 3), np.uint8))])
