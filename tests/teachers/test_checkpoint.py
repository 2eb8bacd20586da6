"""Checkpoints are read as weights, never as programs."""

from __future__ import annotations

import io
import json
import pickle
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import mmengine
import numpy as np
import pytest
import torch
from mmdet.datasets import OpenImagesChallengeDataset
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.model import PretrainedInit
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader, Runner
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader

from mmcompose.registry import TEACHERS, build
from mmcompose.teachers import checkpoint_classes, read_checkpoint, read_config
from mmcompose.teachers.checkpoint import local_checkpoint
from mmcompose.utils import UserError


class _Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


class _Toy(nn.Module):
    """What MMEngine's Runner can train."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, torch.Tensor]:
        loss = self.linear(torch.stack(list(data))).mean()
        optim_wrapper.update_params(loss)
        return {'loss': loss}


def test_a_checkpoint_that_mmengine_wrote_is_read(tmp_path: Path) -> None:
    # A Runner sets the default scope; the tests after this one have their own.
    with DefaultScope.overwrite_default_scope('mmengine'):
        runner = Runner(
            model=_Toy(),
            work_dir=str(tmp_path),
            train_dataloader=DataLoader([torch.ones(2)] * 4),
            optim_wrapper={'optimizer': {'type': 'Adam', 'lr': 0.1}},
            param_scheduler={'type': 'MultiStepLR', 'milestones': [1]},
            train_cfg={'by_epoch': True, 'max_epochs': 1},
            default_hooks={'logger': {'type': 'LoggerHook', 'interval': 1}},
            experiment_name='read_checkpoint',
            log_level='ERROR',
        )
        runner.train()
    checkpoint = read_checkpoint(tmp_path / 'epoch_1.pth')
    assert 'optimizer' in checkpoint
    assert checkpoint['message_hub']['log_scalars']
    assert checkpoint['state_dict']['linear.weight'].shape == (1, 2)


def test_a_program_is_refused_by_name_and_does_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / 'malicious.pth', tmp_path / 'trace'
    torch.save({'state_dict': {}, 'meta': {'x': _Malicious(trace)}}, path)
    with pytest.raises(UserError, match=r'it needs pathlib\.\w+.*trust_checkpoint=True') as e:
        read_checkpoint(path)
    assert len(str(e.value).splitlines()) == 1
    assert not trace.exists()


@pytest.mark.parametrize('attribute', ['__init__', '__class__', '_set_default_statistics'])
def test_the_getattr_of_a_log_buffer_reaches_nothing_else(tmp_path: Path, attribute: str) -> None:
    class Reach:
        def __reduce__(self) -> tuple[Any, ...]:
            return getattr, (HistoryBuffer, attribute)

    torch.save({'state_dict': {}, 'x': Reach()}, tmp_path / 'a.pth')
    with pytest.raises(UserError, match='holds more than weights'):
        read_checkpoint(tmp_path / 'a.pth')


def test_what_numpy_1_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    torch.save({'a': np.arange(2.0), 'b': np.float32(3)}, path)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(tmp_path / 'b.pth', 'w') as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content.replace(b'numpy._core.', b'numpy.core.'))
    checkpoint = read_checkpoint(tmp_path / 'b.pth')['state_dict']
    assert checkpoint['a'].tolist() == [0, 1]
    assert checkpoint['b'] == 3


def test_trust_reads_it_and_warns(tmp_path: Path) -> None:
    path, trace = tmp_path / 'malicious.pth', tmp_path / 'trace'
    torch.save({'state_dict': {'a': torch.ones(1)}, 'meta': {'x': _Malicious(trace)}}, path)
    warnings: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmcompose.teachers.checkpoint.warn', warnings.append)
        checkpoint = read_checkpoint(path, trust=True)
    assert checkpoint['state_dict']['a'] == 1
    assert trace.exists()
    (warning,) = warnings
    assert 'malicious.pth is trusted' in warning


@pytest.mark.parametrize('zipped', [True, False])
def test_both_formats_of_torch_are_read(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / 'a.pth'
    torch.save({'a': torch.arange(3)}, path, _use_new_zipfile_serialization=zipped)
    assert read_checkpoint(path)['state_dict']['a'].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        # Trust is not asked for what no trust would read.
        (b'', 'is no checkpoint'),
        (b'no checkpoint', 'is no checkpoint'),
        (b'PK broken', 'is no checkpoint'),
        (pickle.dumps(b'cut short')[:-5], ''),
    ],
)
def test_what_is_no_checkpoint_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / 'a.pth'
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"^checkpoint: '.*a\.pth' {message}"):
        read_checkpoint(path)


def test_a_checkpoint_of_no_dict_is_told(tmp_path: Path) -> None:
    torch.save([1], tmp_path / 'a.pth')
    with pytest.raises(UserError, match='holds no dict but a list'):
        read_checkpoint(tmp_path / 'a.pth')


def test_a_missing_file_is_told_with_its_neighbour(tmp_path: Path) -> None:
    torch.save({}, tmp_path / 'epoch_12.pth')
    with pytest.raises(UserError, match=r"epoch_21\.pth' is no file; did you mean .*epoch_12\.pth"):
        read_checkpoint(tmp_path / 'epoch_21.pth')


@pytest.mark.parametrize(
    ('meta', 'classes'),
    [
        ({'dataset_meta': {'classes': ('a', 'b')}}, ('a', 'b')),
        ({'dataset_meta': {'CLASSES': ['a', 'b']}}, ('a', 'b')),
        ({'CLASSES': ('a', 'b')}, ('a', 'b')),
        ({'CLASSES': 'cat'}, ('cat',)),
        ({'dataset_meta': None, 'CLASSES': None}, None),
        (None, None),
    ],
)
def test_class_names_of_every_age(meta: Any, classes: tuple[str, ...] | None) -> None:
    assert checkpoint_classes({'meta': meta}) == classes


def test_safetensors_are_read_with_their_class_names(
    teacher_config: dict[str, Any], weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / 'a.safetensors'
    save_file(weights, path, {'classes': json.dumps(['x', 'y', 'z'])})
    teacher = build(TEACHERS, {**teacher_config, 'checkpoint': str(path)}, 'teacher')
    assert teacher.classes == ('x', 'y', 'z')
    assert teacher.num_parameters > 0
    path.write_bytes(b'no tensors')
    with pytest.raises(UserError, match='is no safetensors file'):
        read_checkpoint(path)


class _Files(SimpleHTTPRequestHandler):
    """Serves a folder, and takes down what was asked for."""

    asked: ClassVar[list[str]] = []

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """A web server on this machine, as URL and folder; downloads go to a cache of its own."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    folder = tmp_path / 'zoo'
    folder.mkdir()
    _Files.asked.clear()
    with ThreadingHTTPServer(('127.0.0.1', 0), partial(_Files, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f'http://127.0.0.1:{server.server_port}', folder
        server.shutdown()
        thread.join(5)


def test_a_checkpoint_named_by_url_teaches_and_is_fetched_once(
    zoo: tuple[str, Path], teacher_config: dict[str, Any]
) -> None:
    url, folder = zoo
    (folder / 'a_1234.pth').write_bytes(Path(teacher_config['checkpoint']).read_bytes())
    config = {**teacher_config, 'checkpoint': f'{url}/a_1234.pth?x=1'}
    teachers = [build(TEACHERS, config, 'teacher') for _ in range(2)]
    assert [teacher.classes for teacher in teachers] == [('cat', 'dog', 'tree')] * 2
    assert teachers[0].num_parameters == build(TEACHERS, teacher_config, 'teacher').num_parameters
    assert _Files.asked == ['/a_1234.pth?x=1']


def test_a_program_behind_a_url_is_refused_by_name_and_does_not_run(
    zoo: tuple[str, Path], teacher_config: dict[str, Any], tmp_path: Path
) -> None:
    url, folder = zoo
    trace = tmp_path / 'trace'
    torch.save({'state_dict': {}, 'meta': {'x': _Malicious(trace)}}, folder / 'a.pth')
    config = {**teacher_config, 'checkpoint': f'{url}/a.pth'}
    with pytest.raises(UserError, match=r'teacher\.checkpoint: .*\(it needs pathlib\.\w+'):
        build(TEACHERS, config, 'teacher')
    assert _Files.asked == ['/a.pth']
    assert not trace.exists()


def test_two_urls_of_one_file_name_are_two_checkpoints(zoo: tuple[str, Path]) -> None:
    url, folder = zoo
    for name in ('cats', 'dogs'):
        (folder / name).mkdir()
        torch.save({'name': name}, folder / name / 'best.pth')
    paths = [local_checkpoint(f'{url}/{name}/best.pth') for name in ('cats', 'dogs', 'cats')]
    read = [read_checkpoint(path)['state_dict']['name'] for path in paths]
    assert read == ['cats', 'dogs', 'cats']
    assert _Files.asked == ['/cats/best.pth', '/dogs/best.pth']


def test_a_name_with_a_hash_is_where_other_tools_look_for_it(
    zoo: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = zoo
    torch.save({}, folder / 'retinanet_r50_fpn_1x_coco_20200130-c2398f9e.pth')
    path = local_checkpoint(f'{url}/retinanet_r50_fpn_1x_coco_20200130-c2398f9e.pth')
    assert Path(path).parent == tmp_path / 'hub' / 'checkpoints'


def test_a_url_of_nothing_is_told(zoo: tuple[str, Path]) -> None:
    url, _ = zoo
    with pytest.raises(UserError, match=r'b\.pth. cannot be downloaded \(HTTP Error 404') as caught:
        local_checkpoint(f'{url}/b.pth')
    assert len(str(caught.value).splitlines()) == 1


def test_no_network_is_told_with_where_to_put_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    # Port 9 discards: nothing listens there.
    with pytest.raises(UserError, match=r'cannot be downloaded .* put it at .*a\.pth'):
        local_checkpoint('http://127.0.0.1:9/a.pth')


def _hostile(path: Path, trace: Path) -> str:
    torch.save({'state_dict': {}, 'meta': _Malicious(trace)}, path)
    return str(path)


@pytest.mark.parametrize('key', ['load_from', 'init_cfg'])
@pytest.mark.parametrize('at', ['a path', 'a URL'])
def test_nothing_runs_that_mmengine_loads(
    tmp_path: Path, key: str, at: str, zoo: tuple[str, Path]
) -> None:
    url, folder = zoo
    trace = tmp_path / 'trace'
    path = _hostile(folder / 'hostile.pth', trace)
    source = f'{url}/hostile.pth' if at == 'a URL' else path
    with pytest.raises(UserError, match=r'holds more than weights and was not read \(it needs'):
        if key == 'load_from':
            CheckpointLoader.load_checkpoint(source, map_location='cpu')
        else:
            PretrainedInit(source)(nn.Linear(2, 1))
    assert not trace.exists()


def test_weights_are_loaded_as_before(tmp_path: Path) -> None:
    layer = nn.Linear(2, 1)
    torch.save({'state_dict': layer.state_dict(), 'epoch': 3}, tmp_path / 'weights.pth')
    loaded = CheckpointLoader.load_checkpoint(str(tmp_path / 'weights.pth'), map_location='cpu')
    assert loaded['epoch'] == 3
    other = nn.Linear(2, 1)
    PretrainedInit(str(tmp_path / 'weights.pth'))(other)
    assert torch.equal(other.weight, layer.weight)


@pytest.mark.parametrize('suffix', ['pkl', 'pickle'])
def test_a_pickle_that_mmengine_would_load_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'annotations.{suffix}'
    path.write_bytes(pickle.dumps(_Malicious(tmp_path / 'trace')))
    line = r': is a pickle that may run any program and was not read \(it needs '
    for named, read in (('a .pkl file', mmengine.load), (path, _load_opened)):
        with pytest.raises(UserError, match=f'^{named}{line}'):
            read(path)
    assert not (tmp_path / 'trace').exists()


def test_an_array_of_a_pickle_is_refused(tmp_path: Path) -> None:
    """It could be told to hold any address as an object."""
    path = tmp_path / 'array.pkl'
    path.write_bytes(pickle.dumps(np.zeros(2)))
    with pytest.raises(UserError, match=r'was not read \(it needs numpy'):
        mmengine.load(path)


@pytest.mark.parametrize('content', [b'', b'\x80\x04', b'no pickle', pickle.dumps([1, 2])[:-3]])
def test_a_damaged_pickle_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'damaged.pkl'
    path.write_bytes(content)
    with pytest.raises(UserError, match=f'^{path}: is a'):
        _load_opened(path)


def _load_opened(path: Path) -> Any:
    with open(path, 'rb') as file:
        return mmengine.load(file, file_format='pkl')


def test_no_program_is_run_from_a_tensor_of_a_pickle(tmp_path: Path) -> None:
    inner = io.BytesIO()
    torch.save(_Malicious(tmp_path / 'trace'), inner)
    path = tmp_path / 'tensors.pkl'
    path.write_bytes(pickle.dumps(_Storage(inner.getvalue())))
    with pytest.raises(UserError, match='is a pickle that may run any program'):
        mmengine.load(path)
    assert not (tmp_path / 'trace').exists()


class _Storage:
    """What torch pickles of a tensor's numbers."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.storage._load_from_bytes, (self.content,)


@pytest.mark.parametrize('protocol', [2, pickle.HIGHEST_PROTOCOL])
def test_results_and_metas_that_mmdetection_pickles_are_read(tmp_path: Path, protocol: int) -> None:
    """As eval_metric.py reads what test.py --out wrote, and OpenImagesDataset its meta_file."""
    content = [
        {
            'img_path': 'a.png',
            'ori_shape': (64, 96),
            'pred_instances': {'bboxes': torch.rand(3, 4), 'labels': torch.arange(3)},
            'masks': [{'size': [64, 96], 'counts': b'0'}],
            'sizes': {torch.Size([1]), 2},
        }
    ]
    path = tmp_path / 'results.pkl'
    path.write_bytes(pickle.dumps(content, protocol))
    for (read,) in (mmengine.load(path), _load_opened(path)):
        assert str(read) == str(content[0])


def test_a_config_that_mmengine_dumped_as_yaml_is_read(tmp_path: Path) -> None:
    config = Config({'scale': (96, 64), 'meta_keys': ('img_id', ('a', ['b']))})
    config.dump(tmp_path / 'config.yaml')
    assert '!!python/tuple' in (tmp_path / 'config.yaml').read_text()
    assert read_config(str(tmp_path / 'config.yaml')).to_dict() == config.to_dict()


def test_nothing_runs_from_an_object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _hostile(tmp_path / 'hostile.pth', tmp_path / 'trace')
    opened: list[str] = []

    def here(url: str, mode: str) -> Any:
        opened.append(url)
        return open(path, mode)

    monkeypatch.setattr('mmcompose.teachers.safe_files.fsspec.open', here)
    with pytest.raises(UserError, match='holds more than weights and was not read'):
        CheckpointLoader.load_checkpoint('s3://bucket/hostile.pth', map_location='cpu')
    assert opened == ['s3://bucket/hostile.pth'] and not (tmp_path / 'trace').exists()
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"'pavi://a.pth' cannot be read"):
        CheckpointLoader.load_checkpoint('pavi://a.pth')


def test_a_hierarchy_of_open_images_is_numbers_alone(tmp_path: Path) -> None:
    path = str(tmp_path / 'tree.np')
    dataset = OpenImagesChallengeDataset.__new__(OpenImagesChallengeDataset)
    with open(path, 'wb') as file:
        np.save(file, np.array([_Malicious(tmp_path / 'trace')], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r'hierarchy_file: .* is no array of numbers'):
        dataset._get_relation_matrix(path)
    assert not (tmp_path / 'trace').exists()
    with open(path, 'wb') as file:
        np.save(file, np.eye(3))
    assert dataset._get_relation_matrix(path).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ('name', 'told'),
    [
        ('configg.py', "'.*configg.py' is no file; did you mean '.*config.py'"),
        ('.', "'.*' is a folder; give the path of a file"),
        (
            'mmdet::rtmdet/rtmdet_tny_8xb32-300e_coco.py',
            'is no config of mmdet; did you mean .mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
        ),
    ],
    ids=['file', 'folder', 'of a package'],
)
def test_a_config_that_is_missing_is_told_with_the_nearest(
    name: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / 'config.py').write_text('a = 1')
    with pytest.raises(UserError, match=f'^config: {told}' if '::' not in name else told):
        read_config(name if '::' in name else str(tmp_path / name))


@pytest.mark.parametrize('suffix', ['yaml', 'yml'])
def test_a_yaml_config_names_plain_values_alone(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'config.{suffix}'
    path.write_text(f"model: !!python/object/apply:os.mkdir ['{tmp_path / 'trace'}']")
    with pytest.raises(UserError, match=r'cannot be read as a config \(could not determine'):
        read_config(str(path))
    assert not (tmp_path / 'trace').exists()
    path.write_text('model:\n  type: RetinaNet\n')
    assert read_config(str(path)).model.type == 'RetinaNet'
