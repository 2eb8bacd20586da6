"""Files that would run a program when they are read: each is refused, and none runs."""

from __future__ import annotations

import json
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from mmdet.datasets import OpenImagesChallengeDataset
from mmengine.model import PretrainedInit
from mmengine.runner import CheckpointLoader
from torch import nn

import mmcompose.engine  # noqa: F401  (registers everything)
from mmcompose.class_space import AliasGroups
from mmcompose.commands.export_student import export_student
from mmcompose.datasets import UnlabeledImages
from mmcompose.engine.last_checkpoint import last_checkpoint
from mmcompose.labeling import ScoreCalibration
from mmcompose.registry import TEACHERS, build
from mmcompose.store import LabelStore
from mmcompose.store.parts import MADE_BY, SUFFIX
from mmcompose.store.sealed import write_sealed
from mmcompose.structures import Detections, Image
from mmcompose.teachers import read_checkpoint, read_config
from mmcompose.utils import UserError
from tests.teachers.conftest import CONFIG

Read = Callable[[Path], Any]


class Program:
    """Makes a file when it is unpickled.

    Args:
        trace: Of what file.
    """

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


@dataclass
class Hostile:
    """A hostile file, and what became of it.

    Args:
        name: What it is.
        has_run: Whether its program ran.
        told: The line in which it was refused; empty where it was read as plain values.
    """

    name: str
    has_run: bool
    told: str


def read_hostile_files(folder: Path) -> list[Hostile]:
    """Write each hostile file, let it be read, and look for what its program leaves."""
    found = []
    # Where torch keeps what it downloads.
    torch.hub.set_dir(str(folder / 'hub'))
    for number, (name, act) in enumerate(_files().items()):
        here = folder / str(number)
        here.mkdir(parents=True)
        told = ''
        try:
            act(here)
        except UserError as error:
            told = str(error)
        found.append(Hostile(name, (here / 'trace').exists(), told))
    return found


def _files() -> dict[str, Callable[[Path], Any]]:
    def weights(read: Read, name: str = 'a.pth', **options: Any) -> Callable[[Path], Any]:
        def act(folder: Path) -> Any:
            content = {'state_dict': {}, 'meta': Program(folder / 'trace')}
            torch.save(content, folder / name, **options)
            return read(folder / name)

        return act

    def pickled(read: Read, name: str = 'a.pkl') -> Callable[[Path], Any]:
        def act(folder: Path) -> Any:
            (folder / name).write_bytes(pickle.dumps(Program(folder / 'trace')))
            return read(folder / name)

        return act

    def text(read: Read, name: str, content: str) -> Callable[[Path], Any]:
        def act(folder: Path) -> Any:
            (folder / name).write_text(content.replace('TRACE', str(folder / 'trace')))
            return read(folder / name)

        return act

    tag = "{}: !!python/object/apply:os.mkdir ['TRACE']\n"
    script = "import pathlib\npathlib.Path('TRACE').touch()\n"
    return {
        'a teacher of MMDet': weights(_teach),
        'a teacher of MMDet by URL': weights(_by_url(_teach_url)),
        "torch's old format": weights(read_checkpoint, _use_new_zipfile_serialization=False),
        'load_from': weights(_load),
        'load_from by URL': weights(_by_url(CheckpointLoader.load_checkpoint)),
        'init_cfg': weights(lambda path: PretrainedInit(str(path))(nn.Linear(2, 1))),
        'resume': weights(_resume, 'epoch_1.pth'),
        'weights that are a plain pickle': pickled(read_checkpoint, 'a.pth'),
        'weights of a false suffix': pickled(read_checkpoint, 'a.safetensors'),
        'annotations by mmengine': pickled(mmengine.load),
        'a pool of a pickle': pickled(lambda path: _list(path)),
        'results of a pickle': pickled(_replay),
        'learned values of a pickle': pickled(_calibrate),
        'a YAML config': text(_config, 'a.yaml', tag.format('model')),
        'class names in YAML': text(_names, 'data.yaml', tag.format('names')),
        'an alias table in YAML': text(_aliases, 'a.yaml', tag.format('tv')),
        'a Hugging Face folder of a pickle': _hugging_face,
        'a Hugging Face folder with code': text(_hugging_face_code, 'modeling_a.py', script),
        'a config in a checkpoint': _config_inside,
        'a decoder beside an ONNX file': text(_decoder_beside, 'hostile_decoder.py', script),
        'a hierarchy of OpenImages': _hierarchy,
        'numpy arrays of objects': _objects,
        'a Parquet part of pickled types': _parquet,
    }


def _load(path: Path) -> Any:
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


def _resume(path: Path) -> Any:
    (path.parent / 'last_checkpoint').write_text(str(path))
    return last_checkpoint(path.parent)


def _config(path: Path) -> Any:
    return read_config(str(path))


def _teach(path: Path) -> Any:
    return _teach_url(str(path), path.parent)


def _teach_url(checkpoint: str, folder: Path | None = None) -> Any:
    config = {'type': 'mmcompose.MMDetTeacher', 'config': CONFIG, 'checkpoint': checkpoint}
    if folder is not None:
        (folder / 'c.py').write_text(CONFIG)
        config['config'] = str(folder / 'c.py')
    return build(TEACHERS, {**config, 'device': 'cpu'}, 'teacher')


def _by_url(read: Callable[[str], Any]) -> Read:
    def act(path: Path) -> Any:
        (path.parent / 'c.py').write_text(CONFIG)
        with _server(path.parent) as url:
            if read is _teach_url:
                return _teach_url(f'{url}/{path.name}', path.parent)
            return read(f'{url}/{path.name}')

    return act


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def _list(path: Path) -> Any:
    return UnlabeledImages(ann_file=str(path), data_prefix={'img': str(path.parent)})


def _replay(path: Path) -> Any:
    config = {'type': 'mmcompose.COCOResultsTeacher', 'results': str(path), 'images': str(path)}
    return build(TEACHERS, config, 'teacher').predict([Image('1.jpg', '1.jpg', 9, 9)])


def _names(path: Path) -> Any:
    (path.parent / 'labels').mkdir()
    (path.parent / 'labels' / '1.txt').write_text('0 0.5 0.5 0.1 0.1 0.5')
    results = str(path.parent / 'labels')
    config = {'type': 'mmcompose.COCOResultsTeacher', 'results': results, 'classes': str(path)}
    return build(TEACHERS, config, 'teacher')


def _aliases(path: Path) -> Any:
    return AliasGroups([str(path)], 'aliases')


def _calibrate(path: Path) -> Any:
    return ScoreCalibration(method='isotonic', learned_file=str(path))


def _hugging_face(folder: Path) -> Any:
    model = folder / 'model'
    model.mkdir()
    settings = {'model_type': 'detr', 'architectures': ['DetrForObjectDetection']}
    settings |= {'id2label': {'0': 'a'}, 'use_timm_backbone': False}
    (model / 'config.json').write_text(json.dumps(settings))
    (model / 'preprocessor_config.json').write_text(
        json.dumps({'image_processor_type': 'DetrImageProcessor'})
    )
    torch.save({'a': Program(folder / 'trace')}, model / 'pytorch_model.bin')
    return _hugging_face_teacher(model)


def _hugging_face_code(script: Path) -> Any:
    settings = {'model_type': 'own', 'id2label': {'0': 'a'}}
    code = {'AutoConfig': 'modeling_a.A', 'AutoModelForObjectDetection': 'modeling_a.A'}
    content = json.dumps({**settings, 'auto_map': code})
    (script.parent / 'config.json').write_text(content)
    return _hugging_face_teacher(script.parent)


def _hugging_face_teacher(model: Path) -> Any:
    config = {'type': 'mmcompose.HuggingFaceTeacher', 'model': str(model), 'device': 'cpu'}
    image = Image.of(np.zeros((64, 64, 3), np.uint8))
    return build(TEACHERS, config, 'teacher').predict([image])


def _config_inside(folder: Path) -> Any:
    program = f"__import__('pathlib').Path({str(folder / 'trace')!r}).touch()"
    meta = {'cfg': f'model = dict()\n{program}\n', 'dataset_meta': {'classes': ['a']}}
    torch.save({'state_dict': {}, 'meta': meta}, folder / 'a.pth')
    return export_student(str(folder / 'a.pth'))


def _decoder_beside(script: Path) -> Any:
    (script.parent / 'a.onnx').touch()
    about = {'classes': ['a'], 'decode': f'{script.stem}.decode'}
    (script.parent / 'a.json').write_text(json.dumps(about))
    sys.path.insert(0, str(script.parent))
    try:
        config = {'type': 'mmcompose.ONNXTeacher', 'model': str(script.parent / 'a.onnx')}
        return build(TEACHERS, config, 'teacher')
    finally:
        sys.path.remove(str(script.parent))


def _hierarchy(folder: Path) -> Any:
    with open(folder / 'a.np', 'wb') as file:
        np.save(file, np.array([Program(folder / 'trace')], dtype=object), allow_pickle=True)
    dataset = OpenImagesChallengeDataset.__new__(OpenImagesChallengeDataset)
    return dataset._get_relation_matrix(str(folder / 'a.np'))


def _objects(folder: Path) -> Any:
    # Inside what torch reads without running it.
    array = np.array([Program(folder / 'trace')], dtype=object)
    torch.save({'state_dict': {'a': array}}, folder / 'a.pth')
    return read_checkpoint(folder / 'a.pth')


def _parquet(folder: Path) -> Any:
    store = LabelStore(folder / 'store')
    store.begin()
    results = store.predictions('a')
    results.write('one', [Image('1.jpg', '1.jpg', 9, 9)], [Detections()])
    metadata = {
        b'ARROW:extension:name': b'arrow.py_extension_type',
        b'ARROW:extension:metadata': pickle.dumps(Program(folder / 'trace')),
    }
    field = pa.field('key', pa.string(), metadata=metadata)
    schema = pa.schema([field], metadata={MADE_BY: results.fingerprint.encode()})
    table = pa.table([['1.jpg']], schema=schema)
    (part,) = (folder / 'store' / results.folder).glob('*.parquet')
    part.unlink()
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    # Its maker names it by its digest, as the store does.
    content = sink.getvalue().to_pybytes()
    return results.parts.read(write_sealed(store.location, results.folder, 'one', content, SUFFIX))
