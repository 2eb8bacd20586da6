"""Tests of AverageTeachersHook: a student begins with the mean of its teachers' weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import Tensor

from mmcompose.engine import resolve
from mmcompose.teachers.mmdet.model import build_model
from mmcompose.utils import UserError
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
        name: str, classes: Sequence[str], begins: int = 0, channels: int = 8
    ) -> dict[str, Any]:
        text = CONFIG.replace('num_classes=3', f'num_classes={len(classes)}')
        text = text.replace('out_channels=8', f'out_channels={channels}')
        text = text.replace('in_channels=8,', f'in_channels={channels},')
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
    # The student's own, of a class that it does not know: small, as all begin.
    assert _rows(student, STUDENT, 'green').abs().mean() < 0.02


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


def test_the_mapping_of_the_composition_is_that_of_the_rows(
    pool: Path, truth: str, tmp_path: Path, make: MakeTeacher
) -> None:
    named = make('second', ('azure', 'red'))
    config = _config(pool, truth, tmp_path / 'run', {'second': named})
    config.composition.class_space = {'classes': list(STUDENT), 'aliases': [{'blue': ['azure']}]}
    student = _train(config).model.state_dict()
    expected = _rows(_weights(named), ('azure', 'red'), 'azure')
    torch.testing.assert_close(_rows(student, STUDENT, 'blue'), expected)


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

    begun = teachers['first']['checkpoint']
    refused(r"load_from: '\S+first\.pth' .*AverageTeachersHook.*load_from=None", load_from=begun)
    refused(r'custom_hooks\[0\]\.teachers: .*no teacher', given={})
    wide = {**teachers, 'wide': make('wide', FIRST, channels=12)}
    refused(
        r"custom_hooks\[0\]\.teachers\.wide: is not of the student's architecture: its "
        r'neck\.\S+ is \[12, 16, 1, 1\], the student has \[8, 16, 1, 1\]',
        given=wide,
    )
    apart = {**teachers, 'apart': make('apart', FIRST, begins=7)}
    refused(r"custom_hooks\[0\]\.teachers\.apart: did not begin .* as 'first': \d+ of \d+", apart)
    absent = {'first': {**teachers['first'], 'checkpoint': str(tmp_path / 'absent.pth')}}
    refused(r'custom_hooks\[0\]\.teachers\.first\.checkpoint: .*absent', absent)
    others = {'seer': {'type': 'mmcompose.FunctionTeacher', 'function': 'json.dumps',
                       'classes': ['red']}}  # fmt: skip
    refused(r"custom_hooks\[0\]\.teachers\.seer\.type: 'FunctionTeacher' has no weights", others)
