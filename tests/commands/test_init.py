"""Tests of a config that is written of what is at hand."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import onnx
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS

from mmcompose.commands.evaluate import evaluate_config
from mmcompose.commands.export_student import export_student
from mmcompose.commands.init import init
from mmcompose.commands.onnx_guess import guess_onnx
from mmcompose.commands.plan import plan
from mmcompose.commands.report import report
from mmcompose.teachers.mmdet.model import build_model
from mmcompose.utils import UserError
from tests.engine.toys import TEST_PIPELINE, TRAIN_PIPELINE, student_config
from tests.teachers.conftest import CONFIG, _make_onnx


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    """A checkpoint that names its classes, and its config."""
    (tmp_path / 'mine.py').write_text(CONFIG)
    meta = {'dataset_meta': {'classes': ('tvmonitor', 'dog', 'tree')}}
    weights = build_model(Config.fromfile(tmp_path / 'mine.py')).state_dict()
    torch.save({'state_dict': weights, 'meta': meta}, tmp_path / 'mine.pth')
    return f'{tmp_path / "mine.pth"}:{tmp_path / "mine.py"}'


def test_what_files_tell_is_filled_in(checkpoint: str, pool: Path, tmp_path: Path) -> None:
    yolo = _make_onnx(tmp_path / 'yolo11n.onnx', {'output0': ([[0.0] * 20] * 6, [[0.0] * 20] * 6)})
    model = onnx.load(yolo)
    model.metadata_props.add(key='names', value="{0: 'tv', 1: 'cat'}")
    onnx.save(model, yolo)
    path = init([checkpoint, yolo], str(pool), out=str(tmp_path / 'compose.py'))
    config = Config.fromfile(path, import_custom_modules=False)
    assert config.composition.teachers.yolo11n.to_dict() == {
        'type': 'mmcompose.ONNXTeacher',
        'model': yolo,
        'classes': ['tv', 'cat'],
        'decode': 'ultralytics',
        'preprocess': {
            'keep_ratio': True, 'center': True, 'bgr_to_rgb': True, 'std': [255.0]
        },
    }  # fmt: skip
    assert config.composition.class_space.aliases == ['voc-coco']
    assert '# 3 classes' in path.read_text()
    made = plan(str(path))
    assert made.mistakes == [] and set(made.teachers) == {'mine', 'yolo11n'}
    assert made.pool is not None and made.pool.num_images == 8


def test_what_a_file_does_not_tell_is_a_commented_line(pool: Path, tmp_path: Path) -> None:
    bare = _make_onnx(tmp_path / 'student.onnx', {'what': ([0.0] * 7, [0.0] * 7)})
    awkward = [str(tmp_path / f'{name}.onnx') for name in ('class', 'a²', '2', 'type')]
    for each in awkward:
        shutil.copy(bare, each)
    path = init([bare, bare, *awkward], str(pool), out=str(tmp_path / 'compose.py'))
    text = path.read_text()
    assert text.count('# The file does not hold: classes=') == 6
    assert text.count('dict(  # complete the commented lines') == 6
    config = Config.fromfile(path, import_custom_modules=False)
    # 'student' is taken, and a name is written as a keyword argument.
    named = ['teacher_student', 'teacher_student_2', 'teacher_class', 'a', 'teacher_2']
    assert list(config.composition.teachers) == [*named, 'teacher_type']


@pytest.mark.parametrize(
    ('stored', 'names'),
    [
        ("['cat', 'dog']", ['cat', 'dog']),
        (json.dumps({str(n): f'c{n}' for n in range(12)}), [f'c{n}' for n in range(12)]),
        ("{0: 'cat', 2: 'dog'}", ['cat', '', 'dog']),
        ('cat,dog', None),
        ('3', None),
    ],
)
def test_names_in_a_model_are_read_as_its_teacher_reads_them(
    stored: str, names: list[str] | None, tmp_path: Path
) -> None:
    path = _make_onnx(tmp_path / 'a.onnx', {'output0': ([[0.0] * 20] * 6, [[0.0] * 20] * 6)})
    model = onnx.load(path)
    model.metadata_props.add(key='names', value=stored)
    onnx.save(model, path)
    guessed = guess_onnx(path)
    assert guessed.get('classes') == names
    assert guessed.get('decode') == (None if names is None else 'ultralytics')


def test_any_name_of_the_zoo_is_a_teacher(pool: Path, tmp_path: Path) -> None:
    names = ['paa_r50_fpn_1.5x_coco', 'mmdet::rtmdet_tiny_8xb32-300e_coco']
    path = init(names, str(pool), out=str(tmp_path / 'compose.py'))
    teachers = Config.fromfile(path, import_custom_modules=False).composition.teachers
    assert list(teachers) == ['paa_r50_fpn_1_5x_coco', 'rtmdet_tiny_8xb32_300e_coco']
    assert [each.model for each in teachers.values()] == names


@pytest.mark.parametrize(
    ('beside', 'written', 'absent'),
    [
        ({'hyperparameters': {'lr': 0.1}}, {'decode': 'mmdeploy'}, ['classes']),
        ({'classes': ['cat']}, {'decode': 'mmdeploy'}, []),
        ({'decode': 'detr', 'classes': None}, {}, ['classes']),
        ({'classes': ['cat'], 'decode': 'detr'}, {}, []),
    ],
)
def test_what_a_json_beside_a_model_lacks_is_guessed(
    beside: dict[str, object],
    written: dict[str, str],
    absent: list[str],
    pool: Path,
    tmp_path: Path,
) -> None:
    model = _make_onnx(tmp_path / 'a.onnx', {'dets': ([[0.0] * 5],) * 2, 'labels': ([0.0],) * 2})
    (tmp_path / 'a.json').write_text(json.dumps(beside))
    path = init([model], str(pool), out=str(tmp_path / 'compose.py'))
    teacher = Config.fromfile(path, import_custom_modules=False).composition.teachers.a
    assert teacher.to_dict() == {'type': 'mmcompose.ONNXTeacher', 'model': model, **written}
    text = path.read_text()
    assert re.findall('# The file does not hold: (.*?)=', text) == absent
    assert ('# 1 classes' in text) == (not absent)


def test_a_model_that_takes_no_pictures_is_told(pool: Path, tmp_path: Path) -> None:
    given, made = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 2, 3])
        for name in ('given', 'made')
    )
    node = onnx.helper.make_node('Identity', ['given'], ['made'])
    graph = onnx.helper.make_graph([node], 'words', [given], [made])
    opset = onnx.helper.make_opsetid('', 13)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.save(model, tmp_path / 'a.onnx')
    expected = r"^--teacher: '.*a\.onnx' takes given \[1, 2, 3\]; expected one batch of pictures"
    with pytest.raises(UserError, match=expected):
        init([str(tmp_path / 'a.onnx')], str(pool), out=str(tmp_path / 'compose.py'))


def test_a_checkpoint_of_any_training_is_named_after_its_folder(
    checkpoint: str, pool: Path, tmp_path: Path
) -> None:
    weights, _, config = checkpoint.partition(':')
    given = []
    for folder, name in (('cats', 'epoch_12.pth'), ('dogs', 'epoch_12.pth'), ('dogs', 'new.pth')):
        (tmp_path / folder).mkdir(exist_ok=True)
        given.append(f'{shutil.copy(weights, tmp_path / folder / name)}:{config}')
    path = init(given, str(pool), out=str(tmp_path / 'compose.py'))
    read = Config.fromfile(path, import_custom_modules=False)
    assert list(read.composition.teachers) == ['cats', 'dogs', 'new']


@pytest.mark.parametrize('folder', ['run 12:30', 'a.b:c.py'])
def test_a_path_may_have_a_colon(folder: str, checkpoint: str, pool: Path, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    weights, _, config = checkpoint.partition(':')
    moved = str(shutil.copy(weights, tmp_path / folder / 'epoch_3.pth'))
    bare = _make_onnx(tmp_path / folder / 'yolo.onnx', {'what': ([0.0] * 7, [0.0] * 7)})
    path = init([f'{moved}:{config}', bare], str(pool), out=str(tmp_path / 'compose.py'))
    first, second = Config.fromfile(path, import_custom_modules=False).composition.teachers.values()
    assert (first.checkpoint, first.config, second.model) == (moved, config, bare)


def test_the_command_that_follows_can_be_pasted(
    checkpoint: str, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.commands.init.log', told.append)
    out = str(tmp_path / 'c 1.py')
    init([checkpoint], str(pool), out=out)
    assert shlex.split(told[-1].partition('then: ')[2]) == ['mmcompose', 'plan', out]


def test_a_student_is_a_file_or_a_name(
    checkpoint: str, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'student.py').write_text('answer = 42\ntrain_pipeline = []\n')
    path = init([checkpoint], str(pool), 'student.py', 'configs/compose.py')
    assert Config.fromfile(path, import_custom_modules=False).answer == 42
    path = init([checkpoint], str(pool), 'yolox_nano_8xb8-300e_coco', 'configs/other.py')
    assert "'mmdet::yolox/yolox_nano_8xb8-300e_coco.py'" in path.read_text()
    with pytest.raises(UserError, match=r"^student: 'rtmdet_tinny_8xb32-300e_coco' is no file and"
                       r" no config of MMDetection; did you mean 'rtmdet_tiny_8xb32"):  # fmt: skip
        init([checkpoint], str(pool), 'rtmdet_tinny_8xb32-300e_coco', 'configs/third.py')
    assert not Path('configs/third.py').exists()


@pytest.mark.parametrize('student', ['yolox_tiny_8xb8-300e_coco', 'mixed.py', 'importing.py'])
def test_a_plan_accepts_what_is_written(
    student: str, checkpoint: str, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base = "_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'\n"
    mixed = (
        'train_dataloader = dict(dataset=dict(_delete_=True, type="MultiImageMixDataset", '
        'skip_type_keys=["Mosaic"], pipeline=_base_.train_pipeline, dataset=dict('
        'type="ConcatDataset", datasets=[_base_.train_dataloader.dataset])))\n'
    )
    Path('mixed.py').write_text(base + mixed)
    Path('importing.py').write_text(f"{base}custom_imports = dict(imports='json')\n")
    path = init([checkpoint], str(pool), student, 'compose.py')
    assert plan(str(path)).mistakes == []
    config = Config.fromfile(path)
    dataset = config.train_dataloader.dataset
    if student == 'importing.py':
        assert config.custom_imports.imports == ['json', 'mmcompose.engine']
        assert dataset.type == 'mmcompose.PseudoLabeledDataset'
        return
    assert dataset.type == 'MultiImageMixDataset' and dataset.pipeline == config.train_pipeline
    assert dataset.dataset.type == 'mmcompose.PseudoLabeledDataset'
    loading = [step.type for step in dataset.dataset.pipeline[:2]]
    assert loading == ['LoadImageFromFile', 'LoadAnnotations']
    assert dataset.get('skip_type_keys') == (['Mosaic'] if student == 'mixed.py' else None)


def test_a_student_that_was_never_scored_gets_its_card_and_is_exported(
    checkpoint: str, pool: Path, truth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    student = student_config(pool, truth, tmp_path)
    for name in ('composition', 'runner_type', 'custom_imports', 'work_dir'):
        student.pop(name)
    student.merge_from_dict({'train_pipeline': TRAIN_PIPELINE, 'test_pipeline': TEST_PIPELINE})
    student.dump('student.py')
    path = init([checkpoint], str(pool), 'student.py')
    with path.open('a') as file:
        file.write("composition.update(label_pipeline=[dict(type='mmcompose.ScoreFilter')])\n")
        file.write("card = dict(pictures=4)\nwork_dir = 'work'\n")
    RUNNERS.build(Config.fromfile(path)).train()
    of_training = Path('work/card.html').read_text(encoding='utf-8')
    page = report(str(path), student='work/epoch_1.pth', out='card', pictures=4)
    for text in (of_training, page.read_text(encoding='utf-8')):
        assert 'student, against the labels' in text
    Path('dogs.json').write_text(Path(truth).read_text().replace('"blue"', '"dog"'))
    table = evaluate_config(str(path), student='work/epoch_1.pth', ann_file='dogs.json')
    assert table.rows[-1].name == 'student'
    about = json.loads(export_student('work/epoch_1.pth').with_suffix('.json').read_text())
    assert about['classes'] == ['tvmonitor', 'dog', 'tree']
    assert about['preprocess']['scale'] == [96, 64]


def test_a_student_keeps_the_steps_that_its_own_config_tests_it_by(
    checkpoint: str, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = "[dict(type='LoadImageFromFile'), dict(type='Resize', scale=(64, 32))]"
    Path('small.py').write_text(
        "_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'\n"
        "test_dataloader = dict(dataset=dict(_delete_=True, type='ConcatDataset', "
        f"datasets=[dict(type='CocoDataset', pipeline={small})]))\n"
    )
    config = Config.fromfile(init([checkpoint], str(pool), 'small.py'))
    assert config.test_dataloader is None and config.test_pipeline[1].scale == (64, 32)


@pytest.mark.parametrize(
    ('student', 'message'),
    [
        (
            'soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco',
            r"^student: 'soft-teacher_\S+' sets no train_pipeline, by which",
        ),
        ('compose.py', r"^student: 'compose\.py' has a composition of its own; name the"),
        ('broken.py', r"^student: 'broken\.py' cannot be read as a config"),
    ],
)
def test_a_config_that_makes_no_student_is_told(
    student: str,
    message: str,
    checkpoint: str,
    pool: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('compose.py').write_text('composition = dict(teachers=dict())\n')
    Path('broken.py').write_text('model = dict(\n')
    with pytest.raises(UserError, match=message):
        init([checkpoint], str(pool), student, 'new.py')
    assert not Path('new.py').exists()


@pytest.mark.parametrize(
    ('teacher', 'message'),
    [
        ('none.onnx', r"--teacher: 'none\.onnx' is no file"),
        ('model.pt', r"--teacher: 'model\.pt' is none of checkpoint\.pth:config\.py"),
        ('model:mine', r"--teacher: 'model:mine' is none of checkpoint\.pth:config\.py"),
        ('a.onnx:mine.py', r"--teacher: 'a\.onnx:mine\.py' is none of checkpoint\.pth:config\.py"),
        (
            'rtmdet_tinny_8xb32-300e_coco',
            r"--teacher: .* is not in the zoo .* mean 'rtmdet_tiny_8xb32-",
        ),
        ('paa_r50_fpm_1.5x_coco', r"--teacher: .* is not in the zoo .* mean 'paa_r50_fpn_1\.5x_"),
        (
            'mmdet::yolox_tinny_8x8_300e_coco',
            r"--teacher: .* is not in the zoo .* mean 'yolox_tiny_8x8",
        ),
        ('mmnothing::a', r"--teacher: 'mmnothing::a' is of mmnothing, which has no zoo here"),
    ],
)
def test_what_is_no_teacher_is_named(
    teacher: str, message: str, pool: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        init([teacher], str(pool), out=str(tmp_path / 'compose.py'))
    (tmp_path / 'compose.py').touch()
    with pytest.raises(UserError, match='is there already'):
        init([teacher], str(pool), out=str(tmp_path / 'compose.py'))


def test_a_config_of_another_model_is_told(checkpoint: str, pool: Path, tmp_path: Path) -> None:
    config = Path(checkpoint.partition(':')[2])
    config.write_text(CONFIG.replace('stacked_convs=1', 'stacked_convs=2'))
    with pytest.raises(UserError) as error:
        init([checkpoint], str(pool), out=str(tmp_path / 'compose.py'))
    line = r"--teacher mine\.checkpoint: '\S+mine\.pth' does not fit the config: bbox_head\.\S+ is"
    assert re.match(line, str(error.value)), str(error.value)
    assert not (tmp_path / 'compose.py').exists()


def test_a_config_is_a_python_file(checkpoint: str, pool: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"^out: '.*' is no name of a config; it has to end in \.py"
    ):
        init([checkpoint], str(pool), out=str(tmp_path / 'compose.txt'))
    assert not (tmp_path / 'compose.txt').exists()
