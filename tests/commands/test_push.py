"""Tests of pushing a student, against a small server of the hub's endpoint."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmcompose.commands.push import push, write_hub_folder
from mmcompose.engine.resolve import resolve
from mmcompose.teachers import read_checkpoint
from mmcompose.teachers.mmdet.model import build_model
from mmcompose.utils import UserError, file_fingerprint
from tests import toys
from tests.engine.toys import student_config

CONFIG = "model = dict(type='RetinaNet')\n"


class Hub(ThreadingHTTPServer):
    """A hub of one account that may write to repositories of its own name alone."""

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.daemon_threads = True
        self.files: dict[str, bytes] = {}
        self.stored: dict[str, bytes] = {}
        self.created: list[dict[str, Any]] = []

    @property
    def address(self) -> str:
        return f'http://127.0.0.1:{self.server_port}'


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args: Any) -> None:
        pass

    def do_PUT(self) -> None:
        body = self._body()
        self.server.stored[sha256(body).hexdigest()] = body
        self._answer(200, {})

    def do_POST(self) -> None:
        body = self._body()
        if self.path == '/api/repos/create':
            wanted = json.loads(body)
            if wanted.get('organization') != 'me':
                self._answer(403, {'error': 'not yours'})
                return
            self.server.created.append(wanted)
            self._answer(200, {'url': f'{self.server.address}/me/{wanted["name"]}'})
        elif self.path.endswith('/preupload/main'):
            files = [each['path'] for each in json.loads(body)['files']]
            modes = {path: 'lfs' if path.endswith('.pth') else 'regular' for path in files}
            told = [{'path': p, 'uploadMode': m, 'shouldIgnore': False} for p, m in modes.items()]
            self._answer(200, {'files': told})
        elif self.path.endswith('/info/lfs/objects/batch'):
            objects = [
                {**each, 'actions': {'upload': {'href': f'{self.server.address}/{each["oid"]}'}}}
                for each in json.loads(body)['objects']
            ]
            self._answer(200, {'transfer': 'basic', 'objects': objects})
        elif self.path.endswith('/commit/main'):
            self._commit([json.loads(line) for line in body.splitlines()])
        else:
            self._answer(200, {'errors': [], 'warnings': []})

    def _commit(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line['value']
            if line['key'] == 'file':
                self.server.files[value['path']] = base64.b64decode(value['content'])
            elif line['key'] == 'lfsFile':
                self.server.files[value['path']] = self.server.stored[value['oid']]
        told = {'commitUrl': f'{self.server.address}/me/digits/commit/1', 'commitOid': '1'}
        self._answer(200, {**told, 'success': True})

    def _body(self) -> bytes:
        if self.headers.get('Transfer-Encoding') != 'chunked':
            return self.rfile.read(int(self.headers.get('Content-Length') or 0))
        body = b''
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv('HF_TOKEN', 'hf_of_the_test')
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_DISABLE_XET', True)
    server = Hub()
    monkeypatch.setattr('huggingface_hub.constants.ENDPOINT', server.address)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / 'epoch_1.pth'
    meta = {'cfg': CONFIG, 'dataset_meta': {'classes': ('cat', 'dog')}, 'seed': 3}
    weights = {'weight': torch.arange(3.0)}
    torch.save({'state_dict': weights, 'meta': meta, 'optimizer': {'state': 1}}, path)
    (tmp_path / 'card.md').write_text('---\nlibrary_name: mmcompose\n---\n# Digits\n')
    (tmp_path / 'card.html').write_text('<!doctype html>')
    return path


def _export(checkpoint: Path, changes: Mapping[str, Any] | None = None) -> None:
    """Write what `mmcompose export student` would, but for the network in it."""
    about = {'classes': ['cat', 'dog'], 'checkpoint': file_fingerprint(checkpoint)}
    checkpoint.with_suffix('.onnx').write_bytes(b'onnx')
    checkpoint.with_suffix('.json').write_text(json.dumps({**about, **(changes or {})}))


def test_a_student_is_uploaded_with_its_card(hub: Hub, checkpoint: Path, tmp_path: Path) -> None:
    _export(checkpoint)
    address = push(str(checkpoint), 'me/digits', private=True)
    assert address == f'{hub.address}/me/digits/commit/1'
    assert hub.created[0]['private'] is True and hub.created[0]['name'] == 'digits'
    names = ['README.md', 'card.html', 'config.py', 'model.json', 'model.onnx', 'model.pth']
    assert sorted(hub.files) == names
    (tmp_path / 'model.pth').write_bytes(hub.files['model.pth'])
    about = json.loads(hub.files['model.json'])
    assert about['checkpoint'] == file_fingerprint(tmp_path / 'model.pth')
    assert b'# Digits' in hub.files['README.md']
    (tmp_path / 'again.pth').write_bytes(hub.files['model.pth'])
    saved = read_checkpoint(tmp_path / 'again.pth')
    assert saved['state_dict']['weight'].tolist() == [0, 1, 2]
    assert set(saved) == {'state_dict', 'meta'}
    assert saved['meta']['dataset_meta'] == {'classes': ('cat', 'dog')}


def test_the_config_tests_the_student_and_names_no_teacher(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    hook = {'type': 'mmcompose.FeatureDistillationHook', 'teacher': {'type': 'ONNXTeacher'}}
    config.merge_from_dict({'custom_hooks': [hook], 'variable': config.composition.teachers})
    trained = resolve(config).config
    saved = {
        'state_dict': build_model(trained).state_dict(),
        'meta': {'cfg': trained.pretty_text, 'dataset_meta': {'classes': toys.STUDENT}},
    }
    torch.save(saved, tmp_path / 'epoch_1.pth')
    (tmp_path / 'card.md').touch()
    folder = write_hub_folder(str(tmp_path / 'epoch_1.pth'))
    text = (folder / 'config.py').read_text()
    weights = str(folder / 'model.pth')
    assert read_checkpoint(weights)['meta']['cfg'] == text
    for name in ('eacher', 'composition', str(tmp_path / 'store'), 'train_dataloader'):
        assert name in trained.pretty_text and name not in text
    scores = []
    for each, checkpoint in (
        (Config.fromfile(folder / 'config.py'), weights),
        (trained, str(tmp_path / 'epoch_1.pth')),
    ):
        each.update(work_dir=str(tmp_path / 'tested'), load_from=checkpoint)
        scores.append(Runner.from_cfg(each).test())
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    'change', [{'checkpoint': 'of another'}, {'classes': ['dog', 'cat']}, None]
)
def test_no_file_of_another_student_is_uploaded(
    change: dict[str, Any] | None,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.commands.export_student.warn', told.append)
    _export(checkpoint, change)
    if change is None:
        (tmp_path / 'epoch_1.json').unlink()
    folder = write_hub_folder(str(checkpoint))
    assert sorted(path.name for path in folder.glob('model.*')) == ['model.pth']
    assert len(told) == 1 and 'epoch_1.onnx is left out' in told[0]


def test_a_hub_that_refuses(hub: Hub, checkpoint: Path) -> None:
    with pytest.raises(UserError, match=r"to: 'others/digits' was not pushed to: .*403"):
        push(str(checkpoint), 'others/digits')
    assert hub.files == {}


def test_a_name_that_is_none_is_told_before_anything_is_written(checkpoint: Path) -> None:
    with pytest.raises(UserError, match=r"^to: 'no name' is no repository: "):
        push(str(checkpoint), 'no name')
    assert not (checkpoint.parent / 'hub').exists()


def test_a_hub_that_is_out_of_reach(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('huggingface_hub.constants.ENDPOINT', 'http://127.0.0.1:9')
    expected = (
        r"^to: 'me/digits' was not pushed to: the connection to http://127\.0\.0\.1:9 failed$"
    )
    with pytest.raises(UserError, match=expected):
        push(str(checkpoint), 'me/digits')


def test_a_student_without_a_card(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / 'card.md').unlink()
    with pytest.raises(UserError, match=r'has no card\.md beside it; write one: mmcompose report'):
        push(str(checkpoint), 'me/digits')
    with pytest.raises(UserError, match='is no file'):
        push(str(tmp_path / 'none.pth'), 'me/digits')


def test_nothing_else_is_uploaded(hub: Hub, checkpoint: Path, tmp_path: Path) -> None:
    mine = tmp_path / 'mine'
    mine.mkdir()
    (mine / 'README.md').write_text('mine')
    with pytest.raises(UserError, match=r"^out: '.*mine' is no folder that mmcompose push made"):
        push(str(checkpoint), 'me/digits', str(mine))
    assert (mine / 'README.md').read_text() == 'mine' and hub.files == {}
    push(str(checkpoint), 'me/digits', str(tmp_path / 'other'))
    assert '.mmcompose' not in hub.files
    hub.files.clear()
    (tmp_path / 'other' / 'passwords.txt').touch()
    with pytest.raises(UserError, match=r"^out: '.*other' holds passwords.txt, which would be up"):
        push(str(checkpoint), 'me/digits', str(tmp_path / 'other'))
    assert hub.files == {}


def test_no_file_of_an_earlier_student_is_uploaded(
    hub: Hub, checkpoint: Path, tmp_path: Path
) -> None:
    _export(checkpoint)
    push(str(checkpoint), 'me/digits')
    assert 'model.onnx' in hub.files
    hub.files.clear()
    push(str(checkpoint.rename(tmp_path / 'epoch_2.pth')), 'me/digits')
    assert sorted(hub.files) == ['README.md', 'card.html', 'config.py', 'model.pth']
