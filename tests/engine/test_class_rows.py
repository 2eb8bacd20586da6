"""Tests of ClassRowsHook: rows of a classification layer go by class name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from mmdet.models import DetTTAModel
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import DefaultScope
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from mmcompose.engine.hooks import ClassRowsHook
from mmcompose.engine.runner import CompositionRunner
from mmcompose.registry import HOOKS
from mmcompose.utils import UserError
from tests.engine.toys import student_config

OLD = ('cat', 'dog', 'cow')
CAT, DOG, COW = range(3)


class Head(nn.Module):
    """Class-dependent layers of every layout that MMDetection has."""

    def __init__(self, num_classes: int = 80) -> None:
        super().__init__()
        self.anchors = nn.Conv2d(2, 2 * num_classes, 1)  # RetinaNet
        self.yolo = nn.Conv2d(2, 3 * (5 + num_classes), 1)  # YOLOv3: box, objectness, classes
        self.ssd = nn.Conv2d(2, 4 * (num_classes + 1), 1)  # SSD: background last
        self.fc_cls = nn.Linear(2, num_classes + 1)  # Faster R-CNN, DETR
        self.fc_reg = nn.Linear(2, 4 * num_classes)  # class-specific boxes
        self.mask = nn.Conv2d(2, num_classes, 1)
        self.queries = nn.Embedding(num_classes, 2)  # DINO's denoising queries
        self.point = nn.Conv1d(3 + num_classes, num_classes, 1)  # PointRend: features first
        self.seesaw = nn.Linear(2, num_classes + 2)  # objectness last
        self.other = nn.Linear(2, 3)


@pytest.fixture(autouse=True)
def _registered() -> Any:
    MODELS.register_module(name='ToyRowsHead', module=Head, force=True)
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield
    MODELS.module_dict.pop('ToyRowsHead')


def _checkpoint(classes: tuple[str, ...] | None = OLD) -> dict[str, Any]:
    torch.manual_seed(1)
    meta = {} if classes is None else {'dataset_meta': {'classes': classes}}
    return {'state_dict': Head(len(classes or OLD)).state_dict(), 'meta': meta}


def _loaded(
    classes: tuple[str, ...], checkpoint: dict[str, Any], resume: bool = False, **hook: Any
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return old weights, the student's before, and what would be loaded into it."""
    old = {name: weight.clone() for name, weight in checkpoint['state_dict'].items()}
    torch.manual_seed(2)
    model = Head(len(classes))
    runner = SimpleNamespace(
        model=model,
        cfg=ConfigDict(model=dict(type='ToyRowsHead', num_classes=len(classes))),
        _resume=resume,
    )
    ClassRowsHook(classes, **hook).after_load_checkpoint(runner, checkpoint)
    return old, model.state_dict(), checkpoint['state_dict']


# The student's classes, and for each the row of the checkpoint that it comes from.
CASES = {
    'permuted': (('cow', 'cat', 'dog'), (COW, CAT, DOG)),
    'fewer': (('dog',), (DOG,)),
    'more': (('dog', 'ant', 'cat', 'bee', 'cow'), (DOG, None, CAT, None, COW)),
    'as many, others': (('ant', 'cow', 'bee'), (None, COW, None)),
}


@pytest.mark.parametrize(('classes', 'sources'), CASES.values(), ids=CASES)
@pytest.mark.parametrize(
    ('layer', 'anchors', 'before', 'after'),
    [('anchors', 2, 0, 0), ('yolo', 3, 5, 0), ('ssd', 4, 0, 1), ('fc_cls', 1, 0, 1),
     ('mask', 1, 0, 0), ('queries', 1, 0, 0), ('seesaw', 1, 0, 2)],
)  # fmt: skip
def test_every_anchor_has_the_rows_of_its_classes_and_of_no_class(
    classes: tuple[str, ...],
    sources: tuple[int | None, ...],
    layer: str,
    anchors: int,
    before: int,
    after: int,
) -> None:
    old, own, new = _loaded(classes, _checkpoint())
    each_old, each_new = before + len(OLD) + after, before + len(classes) + after
    name = f'{layer}.weight'
    for anchor in range(anchors):
        was = old[name][anchor * each_old : (anchor + 1) * each_old]
        fresh = own[name][anchor * each_new : (anchor + 1) * each_new]
        now = new[name][anchor * each_new : (anchor + 1) * each_new]
        assert torch.equal(now[:before], was[:before])
        assert torch.equal(now[before + len(classes) :], was[before + len(OLD) :])
        for row, source in enumerate(sources):
            expected = fresh[before + row] if source is None else was[before + source]
            assert torch.equal(now[before + row], expected)


@pytest.mark.parametrize(('classes', 'sources'), CASES.values(), ids=CASES)
@pytest.mark.parametrize('name', ['fc_reg.weight', 'fc_reg.bias'])
def test_four_box_coordinates_of_a_class_stay_together(
    classes: tuple[str, ...], sources: tuple[int | None, ...], name: str
) -> None:
    old, own, new = _loaded(classes, _checkpoint())
    for row, source in enumerate(sources):
        came_from = own[name] if source is None else old[name]
        place = row if source is None else source
        assert torch.equal(new[name][4 * row :][:4], came_from[4 * place :][:4])


@pytest.mark.parametrize(('classes', 'sources'), CASES.values(), ids=CASES)
def test_a_layer_that_reads_scores_of_classes_keeps_them_by_class(
    classes: tuple[str, ...], sources: tuple[int | None, ...]
) -> None:
    old, own, new = (each['point.weight'] for each in _loaded(classes, _checkpoint()))
    for row, source in enumerate(sources):
        features, scores = new[row, :3], new[row, 3:]
        # A class that the checkpoint lacks begins afresh, and so does what is read of one.
        assert torch.equal(features, own[row, :3] if source is None else old[source, :3])
        for column, read in enumerate(sources):
            fresh = source is None or read is None
            expected = own[row, 3 + column] if fresh else old[source, 3 + read]
            assert torch.equal(scores[column], expected)


def test_other_layers_are_loaded_as_they_are() -> None:
    old, _, new = _loaded(('dog',), _checkpoint())
    assert torch.equal(new['other.weight'], old['other.weight'])


def test_the_same_classes_in_the_same_order_change_nothing() -> None:
    old, _, new = _loaded(OLD, _checkpoint())
    assert all(torch.equal(new[name], old[name]) for name in old)


def test_aliases_name_the_same_class() -> None:
    old, _, new = _loaded(('kitty',), _checkpoint(), aliases=[{'kitty': ['cat']}])
    assert torch.equal(new['mask.weight'][0], old['mask.weight'][CAT])


def test_a_checkpoint_without_names_is_an_error() -> None:
    with pytest.raises(UserError, match='checkpoint_classes'):
        _loaded(('dog',), _checkpoint(None))


def test_names_can_be_given_to_a_checkpoint_without() -> None:
    old, _, new = _loaded(('dog',), _checkpoint(None), checkpoint_classes=OLD)
    assert torch.equal(new['mask.weight'][0], old['mask.weight'][DOG])


def test_a_wrong_number_of_names_is_an_error() -> None:
    with pytest.raises(UserError, match='4 classes would make it'):
        _loaded(('dog',), _checkpoint(None), checkpoint_classes=('a', 'b', 'c', 'dog'))


def test_weights_saved_from_inside_a_wrapper_are_an_error() -> None:
    checkpoint = _checkpoint()
    weights = checkpoint['state_dict']
    checkpoint['state_dict'] = {f'module.{name}': weight for name, weight in weights.items()}
    with pytest.raises(UserError, match='DistributedDataParallel'):
        _loaded(('dog',), checkpoint)


def test_a_backbone_alone_needs_no_names() -> None:
    checkpoint = {'state_dict': {'other.weight': torch.ones(3, 2)}}
    assert torch.equal(_loaded(('dog',), checkpoint)[2]['other.weight'], torch.ones(3, 2))


def test_rows_can_start_afresh() -> None:
    _, _, new = _loaded(('dog',), _checkpoint(), keep=False)
    assert set(new) == {'other.weight', 'other.bias'}


def _runner(num_classes: int, tta: bool = False) -> SimpleNamespace:
    model, config = Head(num_classes), dict(type='ToyRowsHead', num_classes=num_classes)
    model.test_step = None
    if tta:
        model, config = DetTTAModel(module=model), dict(type='DetTTAModel', module=config)
    return SimpleNamespace(
        model=model, cfg=ConfigDict(model=config, load_from='old.pth'), _resume=False,
        _train_loop={'type': 'EpochBasedTrainLoop'}, iter=0,
    )  # fmt: skip


@pytest.mark.parametrize('tta', [False, True])
@pytest.mark.parametrize('keep', [False, True])
def test_weights_of_other_classes_can_be_trained_but_not_tested(tta: bool, keep: bool) -> None:
    runner = _runner(1, tta)
    hook = ClassRowsHook(('dog',), keep=keep)
    hook.before_test(runner)
    hook.after_load_checkpoint(runner, _checkpoint())
    for before in (hook.before_test, hook.before_val):
        with pytest.raises(UserError, match=r"^checkpoint: 'old\.pth' .* \(3, number 0 is 'cat'\)"):
            before(runner)
    hook.before_train(runner)
    hook.before_test(runner)
    hook.before_val(runner)


def test_test_time_augmentation_takes_rows_by_name_as_well() -> None:
    checkpoint = _checkpoint()
    old = checkpoint['state_dict']['mask.weight']
    ClassRowsHook(('dog',)).after_load_checkpoint(_runner(1, tta=True), checkpoint)
    assert torch.equal(checkpoint['state_dict']['mask.weight'][0], old[DOG])


def test_rows_that_started_afresh_are_not_tested() -> None:
    runner, hook = _runner(3), ClassRowsHook(OLD, keep=False)
    hook.after_load_checkpoint(runner, _checkpoint(None))
    with pytest.raises(UserError, match=r"^checkpoint: 'old\.pth' does not name its classes"):
        hook.before_test(runner)
    # What is named, in the config or by another checkpoint, is tested with its own rows.
    for hook, names in ((ClassRowsHook(OLD, (), OLD, keep=False), None), (hook, OLD)):
        checkpoint = _checkpoint(names)
        hook.after_load_checkpoint(runner, checkpoint)
        hook.before_test(runner)
        assert set(checkpoint['state_dict']) == set(runner.model.state_dict())
    # Until it is trained: a training that is about to begin throws its rows away.
    runner._train_loop = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
    hook.after_load_checkpoint(runner, _checkpoint())
    with pytest.raises(UserError, match=r"^checkpoint: 'old\.pth' has lost the rows"):
        hook.before_test(runner)
    hook.before_train(runner)
    hook.before_test(runner)


@HOOKS.register_module()
class _WatchRows(Hook):
    """Keep the classification layer that a training or a test begins with."""

    seen: ClassVar[dict[str, torch.Tensor]] = {}

    def before_train(self, runner: Runner) -> None:
        self.seen['train'] = runner.model.bbox_head.retina_cls.weight.detach().clone()

    def before_test(self, runner: Runner) -> None:
        self.seen['test'] = runner.model.bbox_head.retina_cls.weight.detach().clone()


def test_rows_of_the_students_own_classes_start_afresh_where_a_training_begins(
    pool: Path, truth: str, tmp_path: Path
) -> None:
    config = student_config(pool, truth, tmp_path)
    hooks = [{'type': 'mmcompose.ClassRowsHook', 'keep': False}, {'type': 'mmcompose._WatchRows'}]
    config.merge_from_dict({'custom_hooks': hooks, 'experiment_name': tmp_path.name})
    weights = {'bbox_head.retina_cls.weight': torch.full((27, 8, 3, 3), 7.0)}
    meta = {'dataset_meta': {'classes': ['green', 'red', 'blue']}}
    config.load_from = str(tmp_path / 'own.pth')
    torch.save({'state_dict': weights, 'meta': meta}, config.load_from)
    runner = CompositionRunner.from_cfg(config)
    runner.train()
    assert not (_WatchRows.seen['train'] == 7).any()
    # What a script then loads is a student, and so is what a run alone tests.
    runner.load_checkpoint(config.load_from)
    runner.test()
    assert (_WatchRows.seen['test'] == 7).all()
    config.experiment_name += '_test'
    runner = CompositionRunner.from_cfg(config)
    _WatchRows.seen.clear()
    runner.test()
    assert (_WatchRows.seen['test'] == 7).all()


def test_a_checkpoints_own_names_go_before_those_that_are_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned: list[str] = []
    monkeypatch.setattr('mmcompose.engine.hooks.class_rows.warn', warned.append)
    runner, hook = _runner(3), ClassRowsHook(OLD, checkpoint_classes=OLD[::-1])
    own = _checkpoint()
    before = {name: weight.clone() for name, weight in own['state_dict'].items()}
    hook.after_load_checkpoint(runner, own)
    assert all(torch.equal(own['state_dict'][name], weight) for name, weight in before.items())
    # The student of such a config is tested without a word.
    hook.before_test(runner)
    assert warned == []
    hook.before_train(runner)
    (line,) = warned
    assert line.startswith('ClassRowsHook.checkpoint_classes: ')
    assert line.endswith('the checkpoint names cat, dog, cow itself')


@pytest.mark.parametrize(
    ('classes', 'line'),
    [
        (
            ('cat', 'cow', 'dog'),
            r"\(3, number 1 is 'dog'\) .* \(3, number 1 is 'cow'\); .*load_from",
        ),
        (('cat', 'dog', 'cow', 'ant'), r"\(3, number 3 is None\) .* \(4, number 3 is 'ant'\);"),
    ],
)
def test_a_run_does_not_resume_with_other_classes(classes: tuple[str, ...], line: str) -> None:
    with pytest.raises(UserError, match=rf'^resume: the checkpoint was trained on .* {line}'):
        _loaded(classes, _checkpoint(), resume=True)


def test_a_run_that_resumes_keeps_the_rows_that_it_has_learned() -> None:
    # The names are those of the checkpoint that it once began with.
    old, _, new = _loaded(OLD, _checkpoint(), resume=True, checkpoint_classes=OLD[::-1])
    assert all(torch.equal(new[name], weight) for name, weight in old.items())


def test_weights_alone_reach_the_averaged_ones_as_well() -> None:
    runner, weights = _runner(1), _checkpoint()['state_dict']
    average = EMAHook()
    average.before_run(runner)
    for hook in (ClassRowsHook(('dog',), checkpoint_classes=OLD), average):
        hook.after_load_checkpoint(runner, weights)
    assert torch.equal(average.ema_model.module.mask.weight, weights['state_dict']['mask.weight'])
    assert torch.equal(weights['state_dict']['mask.weight'][0], weights['mask.weight'][DOG])
    # Versions of layers, by which they take older weights.
    assert weights['state_dict']._metadata == weights._metadata


def test_the_hook_runs_before_the_one_that_copies_weights_into_the_average() -> None:
    assert ClassRowsHook.priority == 'VERY_HIGH'
    hooks: list[Hook] = [EMAHook(), ClassRowsHook(OLD)]
    from mmengine.runner.priority import get_priority

    first = min(hooks, key=lambda hook: get_priority(hook.priority))
    assert isinstance(first, ClassRowsHook)
