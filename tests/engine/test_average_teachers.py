"""Tests of AverageTeachersHook: a student begins with the mean of its teachers' weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.models import RetinaNet
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import RUNNERS, DefaultScope
from mmengine.runner import Runner
from torch import Tensor, nn

from mmcompose.class_space import ClassSpace
from mmcompose.engine import resolve
from mmcompose.engine.average_weights import Member, average_weights
from mmcompose.engine.class_layers import class_layers, rows_by_class
from mmcompose.engine.hooks import AverageTeachersHook
from mmcompose.teachers.mmdet.model import build_model
from mmcompose.utils import UserError
from tests.engine.test_class_rows import Head
from tests.engine.toys import student_config
from tests.teachers.conftest import CONFIG
from tests.toys import FIRST, SECOND, STUDENT

HOOK = 'mmcompose.AverageTeachersHook'
# Of the toys' RetinaNet: what each class has a row of for each of nine anchors, and what it shares.
ANCHORS = 9
ROWS = 'bbox_head.retina_cls.weight'
SHARED = 'neck.fpn_convs.0.conv.weight'
MakeTeacher = Callable[..., dict[str, Any]]


@pytest.fixture
def make(tmp_path: Path) -> MakeTeacher:
    """Make a detector whose weights are some that all begin with, and a little noise."""

    def make(
        name: str, classes: Sequence[str], begins: int = 0, channels: int = 8, convs: int = 1
    ) -> dict[str, Any]:
        text = CONFIG.replace('num_classes=3', f'num_classes={len(classes)}')
        text = text.replace('out_channels=8', f'out_channels={channels}')
        text = text.replace('in_channels=8,', f'in_channels={channels},')
        text = text.replace('stacked_convs=1', f'stacked_convs={convs}')
        path = tmp_path / f'{name}.py'
        path.write_text(text)
        torch.manual_seed(begins)
        weights = build_model(Config.fromfile(path)).state_dict()
        torch.manual_seed(sum(map(ord, name)))
        for weight in weights.values():
            if weight.is_floating_point():
                weight += 0.1 * weight.abs().mean() * torch.randn_like(weight)
        checkpoint = {'state_dict': weights, 'meta': {'dataset_meta': {'classes': classes}}}
        torch.save(checkpoint, path.with_suffix('.pth'))
        return {
            'type': 'mmcompose.MMDetTeacher',
            'config': str(path),
            'checkpoint': str(path.with_suffix('.pth')),
        }

    return make


@pytest.fixture
def teachers(make: MakeTeacher) -> dict[str, dict[str, Any]]:
    """Two that share a class of the student's three."""
    return {'first': make('first', FIRST), 'second': make('second', SECOND)}


def _config(pool: Path, truth: str, folder: Path, teachers: Any, **changes: Any) -> Config:
    hooks = [{'type': HOOK, 'teachers': teachers}, *changes.pop('custom_hooks', ())]
    config = student_config(pool, truth, folder, custom_hooks=hooks, **changes)
    # Nothing is learned: what a run ends with is what it began with.
    config.optim_wrapper.optimizer.update(lr=0.0, momentum=0.0)
    config.experiment_name = folder.name
    return config


def _train(config: Config) -> Runner:
    runner: Runner = RUNNERS.build(config)
    runner.train()
    return runner


def _weights(teacher: dict[str, Any]) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = torch.load(teacher['checkpoint'])['state_dict']
    return weights


def _rows(weights: dict[str, Tensor], classes: Sequence[str], name: str) -> Tensor:
    return weights[ROWS].view(ANCHORS, len(classes), -1)[:, classes.index(name)]


def test_a_student_begins_with_the_mean_and_each_class_with_its_owners_rows(
    pool: Path, truth: str, tmp_path: Path, teachers: dict[str, Any]
) -> None:
    config = _config(
        pool,
        truth,
        tmp_path / 'run',
        teachers,
        custom_hooks=[{'type': 'EMAHook', 'update_buffers': True, 'priority': 49}],
    )
    student = _train(config).model.state_dict()
    first, second = (_weights(each) for each in teachers.values())
    torch.testing.assert_close(student[SHARED], (first[SHARED] + second[SHARED]) / 2)
    green, blue = _rows(first, FIRST, 'green'), _rows(second, SECOND, 'blue')
    red = (_rows(first, FIRST, 'red') + _rows(second, SECOND, 'red')) / 2
    for name, expected in (('green', green), ('red', red), ('blue', blue)):
        torch.testing.assert_close(_rows(student, STUDENT, name), expected)
    # What is saved, tested and averaged over steps is that, too.
    (path,) = (tmp_path / 'run').rglob('*.pth')
    saved = torch.load(path, weights_only=False)
    for weights in (saved['state_dict'], saved['ema_state_dict']):
        found = {name.removeprefix('module.'): value for name, value in weights.items()}
        torch.testing.assert_close(found[SHARED], student[SHARED])


def test_one_teacher_gives_its_weights_as_they_are(
    pool: Path, truth: str, tmp_path: Path, teachers: dict[str, Any]
) -> None:
    alone = {'second': teachers['second']}
    student = _train(_config(pool, truth, tmp_path / 'run', alone)).model.state_dict()
    second = _weights(alone['second'])
    torch.testing.assert_close(student[SHARED], second[SHARED])
    torch.testing.assert_close(_rows(student, STUDENT, 'red'), _rows(second, SECOND, 'red'))
    # The student's own, of a class that it does not know: small, and found in one of a hundred.
    assert 0 < _rows(student, STUDENT, 'green').abs().mean() < 0.02
    unknown = student[ROWS.replace('weight', 'bias')].view(ANCHORS, 3)[:, STUDENT.index('green')]
    torch.testing.assert_close(unknown.sigmoid(), torch.full((ANCHORS,), 0.01))


def test_a_run_that_resumes_keeps_what_it_has_learned(
    pool: Path, truth: str, tmp_path: Path, teachers: dict[str, Any]
) -> None:
    folder = tmp_path / 'run'
    _train(_config(pool, truth, folder, teachers))
    (path,) = folder.rglob('*.pth')
    saved = torch.load(path, weights_only=False)
    saved['state_dict'][SHARED].fill_(0.5)
    torch.save(saved, path)
    longer = {'type': 'EpochBasedTrainLoop', 'max_epochs': 2}
    config = _config(pool, truth, folder, teachers, train_cfg=longer, resume=True)
    assert (_train(config).model.state_dict()[SHARED] == 0.5).all()


def test_rows_go_by_aliases_and_by_the_mapping_of_the_composition(
    pool: Path, truth: str, tmp_path: Path, make: MakeTeacher
) -> None:
    classes = ('azure', 'crimson', 'red', 'green')
    named = make('second', classes)
    config = _config(pool, truth, tmp_path / 'run', {'second': named})
    config.composition.teachers.second.update(
        classes=['azure', 'crimson', 'red', 'green', 'stuff'],
        arguments={'colours': ['blue', 'red', 'red', 'green', 'red']},
    )
    config.composition.class_space = {
        'classes': list(STUDENT),
        'aliases': [{'blue': ['azure']}],
        # Of a class that the averaged one lacks, too.
        'mapping': {'second': {'crimson': 'red', 'green': None, 'stuff': None}},
    }
    student = _train(config).model.state_dict()
    weights = _weights(named)
    for name, source in (('blue', 'azure'), ('red', 'red')):
        found = _rows(student, STUDENT, name)
        torch.testing.assert_close(found, _rows(weights, classes, source))
    assert _rows(student, STUDENT, 'green').abs().mean() < 0.02


class Scaled(Head):
    """Layers of every layout, and a weight of no dimension, as of mmcv's Scale."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.scale = nn.Parameter(torch.rand(()))


@pytest.mark.parametrize(
    ('layer', 'rows', 'before', 'after'),
    [('anchors', 2, 0, 0), ('yolo', 3, 5, 0), ('ssd', 4, 0, 1), ('fc_cls', 1, 0, 1),
     ('mask', 1, 0, 0), ('seesaw', 1, 0, 2)],
)  # fmt: skip
def test_rows_of_no_class_are_the_mean_of_all(
    layer: str, rows: int, before: int, after: int
) -> None:
    """Of background and objectness; and a class's are those of its owners, in any layout."""
    owners = {'one': ('ant', 'bee'), 'other': ('bee', 'cow', 'dog')}
    classes = ('dog', 'bee', 'ant', 'emu')
    torch.manual_seed(0)
    own = Scaled(4).state_dict()
    weights = {name: Scaled(len(known)).state_dict() for name, known in owners.items()}
    for each in weights.values():
        # As of one beginning.
        each.update({name: own[name] + 0.01 for name in own if own[name].shape == each[name].shape})
    space = ClassSpace({}, classes)
    members = [
        Member(name, weights[name], rows_by_class(space, known), len(known))
        for name, known in owners.items()
    ]
    MODELS.register_module(name='ToyScaled', module=Scaled, force=True)
    config = ConfigDict(type='ToyScaled', num_classes=4)
    found = average_weights(own, class_layers(config, own, 4), 4, members)
    MODELS.module_dict.pop('ToyScaled')

    def row(of: dict[str, Tensor], count: int, number: int) -> Tensor:
        return of[f'{layer}.weight'].view(rows, before + count + after, -1)[:, number]

    def of_class(of: dict[str, Tensor], names: Sequence[str], name: str) -> Tensor:
        return row(of, len(names), before + names.index(name))

    for name in classes:
        known = [of_class(weights[n], c, name) for n, c in owners.items() if name in c]
        expected = torch.stack(known or [of_class(own, classes, name)]).mean(0)
        torch.testing.assert_close(of_class(found, classes, name), expected)
    for number in [*range(before), *range(-after, 0)]:
        both = [row(weights[n], len(c), number) for n, c in owners.items()]
        torch.testing.assert_close(row(found, 4, number), torch.stack(both).mean(0))
    torch.testing.assert_close(found['scale'], own['scale'] + 0.01)


def test_a_config_that_a_detector_writes_into_is_left_as_it_is(teachers: dict[str, Any]) -> None:
    """Deformable DETR does, and refuses to be built of it again."""

    class Writing(RetinaNet):  # type: ignore[misc]
        def __init__(self, bbox_head: dict[str, Any], **others: Any) -> None:
            assert 'seen' not in bbox_head
            super().__init__(bbox_head=dict(bbox_head), **others)
            bbox_head['seen'] = True

    model = Config.fromstring(CONFIG, '.py').model
    model.type = Writing
    hook = AverageTeachersHook({'classes': list(STUDENT)}, teachers)
    with DefaultScope.overwrite_default_scope('mmdet'):
        hook.check(Config({'model': model}))
    assert 'seen' not in model.bbox_head


def test_a_checkpoint_is_tested_and_resumed_from_by_its_path(
    pool: Path, truth: str, tmp_path: Path, teachers: dict[str, Any]
) -> None:
    """MMDetection's tools write it into ``load_from``."""
    folder = tmp_path / 'run'
    _train(_config(pool, truth, folder, teachers))
    (path,) = (str(each) for each in folder.rglob('*.pth'))
    # The teachers need not be there any more.
    absent = {'first': {**teachers['first'], 'checkpoint': str(tmp_path / 'absent.pth')}}
    tested = _config(pool, truth, folder, absent, load_from=path)
    assert RUNNERS.build(tested).test()
    longer = {'type': 'EpochBasedTrainLoop', 'max_epochs': 2}
    again = _config(pool, truth, folder, teachers, train_cfg=longer, resume=True, load_from=path)
    assert _train(again).epoch == 2


def test_all_teachers_of_the_composition_are_averaged_by_default(
    pool: Path, truth: str, tmp_path: Path, teachers: dict[str, Any]
) -> None:
    config = _config(pool, truth, tmp_path / 'run', None)
    del config.custom_hooks[0]['teachers']
    config.composition.teachers = {**teachers, 'first': {**teachers['first'], 'weight': 2.0}}
    (hook,) = (each for each in resolve(config).config.custom_hooks if each.type == HOOK)
    assert hook.teachers.to_dict() == teachers


def test_mistakes_are_told_before_anything_is_made(
    pool: Path, truth: str, tmp_path: Path, make: MakeTeacher, teachers: dict[str, Any]
) -> None:
    def refused(line: str, given: Any = teachers, **changes: Any) -> None:
        config = _config(pool, truth, tmp_path / 'refused', given, **changes)
        with pytest.raises(UserError) as error:
            RUNNERS.build(config).train()
        (told,) = str(error.value).splitlines()
        assert re.search(line, told), told
        assert not (tmp_path / 'refused').exists()

    refused(r'custom_hooks\[0\]\.teachers: .*no teacher', given={})
    wide = {**teachers, 'wide': make('wide', FIRST, channels=12)}
    refused(
        r"^custom_hooks\[0\]\.teachers\.wide: is not of the student's architecture: its "
        r"neck\.\S+ is \[12, 16, 1, 1\], the student's \[8, 16, 1, 1\]",
        given=wide,
    )
    deep = {'deep': make('deep', FIRST, convs=2)}
    refused(r"\.deep: is not of the student's .*: the student has no bbox_head\.\S+\.1\.conv", deep)
    shallow = Path(teachers['first']['config'])
    other = {'other': {**deep['deep'], 'config': str(shallow)}}
    Path(deep['deep']['checkpoint']).write_bytes(Path(wide['wide']['checkpoint']).read_bytes())
    refused(r'^custom_hooks\[0\]\.teachers\.other\.checkpoint: \S+ does not fit', other)
    unknown = {'unknown': make('unknown', ('black', 'white'))}
    refused(r'^custom_hooks\[0\]\.teachers\.unknown: knows no class of the student', unknown)
    apart = {**teachers, 'apart': make('apart', FIRST, begins=7)}
    refused(r"custom_hooks\[0\]\.teachers\.apart: did not begin .* as 'first': \d+ of \d+", apart)
    absent = {'first': {**teachers['first'], 'checkpoint': str(tmp_path / 'absent.pth')}}
    refused(r'custom_hooks\[0\]\.teachers\.first\.checkpoint: .*absent', absent)
    others = {'seer': {'type': 'mmcompose.FunctionTeacher', 'function': 'json.dumps',
                       'classes': ['red']}}  # fmt: skip
    refused(r"custom_hooks\[0\]\.teachers\.seer\.type: 'FunctionTeacher' has no weights", others)


def test_two_beginnings_are_refused_before_a_step(
    pool: Path, truth: str, tmp_path: Path, teachers: dict[str, Any]
) -> None:
    begun = teachers['first']['checkpoint']
    config = _config(pool, truth, tmp_path / 'run', teachers, load_from=begun)
    line = r'^load_from: \S+ and AverageTeachersHook both .*set load_from=None'
    with pytest.raises(UserError, match=line):
        _train(config)
    assert not Path(config.work_dir).exists()
