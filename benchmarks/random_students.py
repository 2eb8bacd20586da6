"""Students of seven classes that begin as a random detector of COCO's, and learn for a moment."""

from __future__ import annotations

import copy
import json
import random
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from common import ROOT
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import Tensor, nn

from mmcompose.engine import CompositionRunner
from mmcompose.engine.num_classes import set_num_classes
from mmcompose.models.weighted_targets import Settings, attach
from mmcompose.teachers import named_classes, read_config
from mmcompose.teachers.mmdet.tracking import detector_of
from mmcompose.utils import UserError, fault

CLASSES = ('person', 'car', 'dog', 'cat', 'chair', 'bottle', 'horse')
# Of the second source: in its pictures the other classes are not labelled.
COVERED = CLASSES[:3]
KINDS = ('weights', 'bands', 'coverage', 'soft targets')
ITERATIONS = 3
# Of an image, in place of 512: whether a kind reaches the loss does not depend on it.
MOST_ROIS = 64
# Gradients that differ by less, relative to the largest, are taken for the same.
SAME = 1e-5


@dataclass
class Scene:
    """Pictures of noise with boxes that are said to be objects.

    Args:
        folder: Where the files go.
        side: Of the pictures, in pixels.
    """

    folder: Path
    side: int

    def write(self) -> None:
        """Write pictures, a truth of some classes, one of all, and a teacher's results."""
        generator = np.random.default_rng(0)
        (self.folder / 'pictures').mkdir()
        for number in range(4):
            pixels = generator.integers(0, 256, (self.side, self.side, 3), np.uint8)
            cv2.imwrite(str(self.folder / 'pictures' / f'{number}.png'), pixels)
        self._truth('partly', [0, 1], COVERED)
        self._truth('all', [0, 1], CLASSES)
        self._truth('pool', [2, 3], CLASSES)
        boxes = json.loads((self.folder / 'pool.json').read_text())['annotations']
        results = [
            {name: box[name] for name in ('image_id', 'category_id', 'bbox', 'segmentation')}
            | {'score': score}
            for box, score in zip(boxes, [0.9, 0.7, 0.4] * len(boxes), strict=False)
        ]
        (self.folder / 'results.json').write_text(json.dumps(results))

    def _truth(self, name: str, numbers: Sequence[int], classes: Sequence[str]) -> None:
        annotations: list[dict[str, Any]] = []
        for image in numbers:
            for place, (x, y, size) in enumerate([(0.1, 0.1, 0.3), (0.5, 0.1, 0.4),
                                                  (0.2, 0.6, 0.35)]):  # fmt: skip
                left, top, side = (round(value * self.side) for value in (x, y, size))
                right, bottom = left + side, top + side
                outline = [left, top, right, top, right, bottom, left, bottom]
                annotations.append(
                    {'id': len(annotations) + 1, 'image_id': image, 'iscrowd': 0,
                     'category_id': (place + image) % len(classes) + 1, 'area': side**2,
                     'bbox': [left, top, side, side], 'segmentation': [outline]}
                )  # fmt: skip
        images = [
            {'id': n, 'file_name': f'{n}.png', 'width': self.side, 'height': self.side}
            for n in numbers
        ]
        categories = [{'id': n, 'name': each} for n, each in enumerate(classes, start=1)]
        content = {'images': images, 'annotations': annotations, 'categories': categories}
        (self.folder / f'{name}.json').write_text(json.dumps(content))


class Watch(Hook):
    """Looks at the rows of the student's classification layers as it begins to learn."""

    # After all that loads weights.
    priority = 'LOWEST'

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.rows = False

    def before_train(self, runner: Runner) -> None:
        """Compare each layer that depends on the classes with the checkpoint's."""
        old = torch.load(self.checkpoint, map_location='cpu', weights_only=False)['state_dict']
        new = {name: value.cpu() for name, value in runner.model.state_dict().items()}
        layers = [
            name for name in new if name in old and new[name].shape != old[name].shape
        ]  # fmt: skip
        self.rows = bool(layers) and all(_rows_are_in(new[name], old[name]) for name in layers)


def _rows_are_in(few: Tensor, many: Tensor) -> bool:
    """Return whether each row of a layer is one of another's."""
    axes = [n for n, (a, b) in enumerate(zip(few.shape, many.shape, strict=True)) if a != b]
    if len(axes) > 1:
        # PointRend reads scores of other scores. The values are random: none is there twice.
        return bool(torch.isin(few, many).all())
    axis = axes[0]
    few, many = (each.movedim(axis, 0).reshape(each.shape[axis], -1) for each in (few, many))
    return all(bool((many == row).all(dim=1).any()) for row in few)


def learn(path: Path, side: int, folder: Path) -> Iterator[tuple[str, Any]]:
    """Let a config's detector learn from uncertain labels, and test it.

    Args:
        path: The config.
        side: Of the pictures, in pixels.
        folder: For all files.

    Yields:
        Each step that was taken, and what it found.
    """
    Scene(folder, side).write()
    plain = _config(path, side, folder)
    checkpoint = folder / 'coco.pth'
    _save_random(plain, checkpoint)
    plain.dump(folder / 'student.py')
    runner = CompositionRunner.from_cfg(Config.fromfile(folder / 'student.py'))
    yield 'builds', sum(each.numel() for each in runner.model.parameters())
    watch = Watch(checkpoint)
    runner.register_hook(watch)
    runner.train()
    yield 'learns', True
    yield 'keeps rows', watch.rows
    yield 'reaches', reaches(runner)
    trained = folder / 'work' / f'iter_{ITERATIONS}.pth'
    assert trained.is_file(), 'no checkpoint was saved'
    yield 'saves', True
    del runner
    dumped = folder / 'work' / 'student.py'
    sys.argv = ['test.py', str(dumped), str(trained), '--work-dir', str(folder / 'test')]
    runpy.run_path(str(ROOT / 'tools' / 'test.py'), run_name='__main__')
    yield 'tests', True


def _config(path: Path, side: int, folder: Path) -> Config:
    """Return a composition whose student is a config's detector."""
    base = detector_of(read_config(str(path)))
    _check_that_labels_suffice(base.model)
    _make_it_run_here(base.model)
    # Large-scale jitter pads to 1024 pixels.
    base.model.get('data_preprocessor', {}).pop('batch_augments', None)
    masks = _loads_masks(base.get('train_dataloader'))
    load = [
        {'type': 'LoadImageFromFile'},
        {'type': 'LoadAnnotations', 'with_bbox': True, 'with_mask': masks},
        {'type': 'Resize', 'scale': (side, side), 'keep_ratio': True},
    ]
    pipeline = [*load, {'type': 'RandomFlip', 'prob': 0.5}, {'type': 'PackDetInputs'}]
    picture = {'data_root': f'{folder}/', 'data_prefix': {'img': 'pictures/'}}
    truth = {'type': 'CocoDataset', **picture}
    loader = {'batch_size': 2, 'num_workers': 0}
    hooks = [
        hook for hook in base.get('custom_hooks') or ()
        # Each source has a pipeline of its own.
        if hook['type'] not in ('PipelineSwitchHook', 'YOLOXModeSwitchHook')
    ]  # fmt: skip
    imports = list((base.get('custom_imports') or {}).get('imports', ()))
    return Config({
        'default_scope': 'mmdet',
        'custom_imports': {'imports': [*imports, 'mmcompose.engine'],
                           'allow_failed_imports': False},
        'runner_type': 'mmcompose.CompositionRunner',
        'composition': {
            'teachers': {'results': {
                'type': 'mmcompose.COCOResultsTeacher',
                'results': str(folder / 'results.json'), 'images': str(folder / 'pool.json'),
            }},
            'class_space': {'classes': list(CLASSES)},
            'label_pipeline': [
                {'type': 'mmcompose.Concatenate'},
                {'type': 'mmcompose.ScoreBands', 'keep': 0.5, 'ignore': 0.3},
                {'type': 'mmcompose.BoxWeights'},
            ],
            'store': str(folder / 'labels'),
        },
        'model': base.model,
        'train_dataloader': {**loader, 'dataset': {
            'type': 'mmcompose.MixedDataset', 'source_ratio': [1, 1],
            'datasets': [
                {'type': 'mmcompose.PseudoLabeledDataset', 'pipeline': pipeline,
                 'dataset': {'type': 'mmcompose.UnlabeledImages', 'ann_file': 'pool.json',
                             **picture}},
                {**truth, 'ann_file': 'partly.json', 'pipeline': pipeline},
            ],
        }},
        'train_cfg': {'type': 'IterBasedTrainLoop', 'max_iters': ITERATIONS},
        'optim_wrapper': {'type': 'OptimWrapper', 'clip_grad': {'max_norm': 1.0},
                          'optimizer': {'type': 'SGD', 'lr': 1e-4}},
        'test_dataloader': {**loader, 'batch_size': 1, 'dataset': {
            **truth, 'ann_file': 'all.json', 'test_mode': True,
            'pipeline': [*load, {'type': 'PackDetInputs'}]}},
        'test_cfg': {'type': 'TestLoop'},
        'test_evaluator': {'type': 'CocoMetric', 'metric': 'bbox'},
        'default_hooks': {
            'checkpoint': {'type': 'CheckpointHook', 'by_epoch': False, 'interval': ITERATIONS},
        },
        'custom_hooks': [*hooks, {'type': 'mmcompose.UncertainLabelsHook', 'soft_targets': True}],
        'load_from': str(folder / 'coco.pth'),
        'work_dir': str(folder / 'work'),
    })  # fmt: skip


def _save_random(config: Config, checkpoint: Path) -> None:
    """Save the student's detector with random weights, of COCO's classes."""
    model = Config({'model': config.model.to_dict()}).model
    names = named_classes('coco')
    with DefaultScope.overwrite_default_scope('mmdet'):
        set_num_classes(model, len(names), MODELS)
        built = MODELS.build(model)
    built.init_weights()
    weights = built.state_dict()
    # A bias that is set to one value is no row that could be told from another.
    for value in weights.values():
        if value.is_floating_point():
            value += 1e-4 * torch.rand_like(value)
    meta = {'dataset_meta': {'classes': names}}
    torch.save({'state_dict': weights, 'meta': meta}, checkpoint)


def reaches(runner: Runner) -> dict[str, bool]:
    """Return which kinds of uncertainty change what all heads of a trained student learn.

    Compares the gradients of one batch, with plain labels and with labels of each kind.
    """
    model = runner.model
    attached = attach(model, Settings(soft_targets=True))
    batch = next(iter(runner.train_dataloader))
    try:
        before = _gradients(model, batch, _plain)
        noise = _difference(before, _gradients(model, batch, _plain))
        changes = (_weigh, _ignore, _cover, _doubt)
        found = {}
        for kind, change in zip(KINDS, changes, strict=True):
            unreached = attached.unreached or (kind == KINDS[-1] and attached.not_soft)
            seen = not unreached and _difference(before, _gradients(model, batch, change))
            found[kind] = bool(seen and seen > SAME + 10 * noise)
    finally:
        attached.remove()
    return found


def _plain(sample: DetDataSample) -> None:
    boxes = sample.gt_instances
    boxes.weights = torch.ones(len(boxes))
    boxes.scores = torch.ones(len(boxes))
    sample.ignored_instances = sample.ignored_instances[:0]
    if 'covered_classes' in sample:
        del sample.covered_classes


def _weigh(sample: DetDataSample) -> None:
    _plain(sample)
    sample.gt_instances.weights[0] = 0


def _ignore(sample: DetDataSample) -> None:
    _plain(sample)
    ignored = copy.deepcopy(sample.gt_instances[:1])
    # All of it: a query that has learned nothing predicts the whole picture.
    height, width = sample.img_shape
    ignored.bboxes.tensor[:] = torch.tensor([0, 0, width, height])
    sample.ignored_instances = ignored


def _cover(sample: DetDataSample) -> None:
    _plain(sample)
    sample.set_metainfo({'covered_classes': tuple(range(len(COVERED)))})


def _doubt(sample: DetDataSample) -> None:
    _plain(sample)
    sample.gt_instances.scores[:] = 0.5


def _gradients(
    model: nn.Module, batch: Mapping[str, Any], change: Callable[[DetDataSample], None]
) -> list[Tensor]:
    """Return the gradient of each parameter for a batch whose labels are changed.

    The model stays as it was: DDOD and Seesaw loss count what they have seen.
    """
    weights = copy.deepcopy(model.state_dict())
    counts = [
        (value, list(value)) for module in model.modules() for value in vars(module).values()
        if isinstance(value, list) and all(isinstance(each, (int, float)) for each in value)
    ]  # fmt: skip
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    changed = copy.deepcopy(dict(batch))
    for sample in changed['data_samples']:
        change(sample)
    data = model.data_preprocessor(changed, True)
    losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    model.zero_grad(set_to_none=False)
    total.backward()
    found = [
        torch.zeros_like(each) if each.grad is None else each.grad.clone()
        for each in model.parameters()
    ]
    model.load_state_dict(weights)
    for now, before in counts:
        now[:] = before
    return found


def _difference(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """Return the largest difference of two gradients, relative to the largest value."""
    largest = max(float(each.abs().max()) for each in one) or 1.0
    found = max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))
    return found / largest


def _loads_masks(settings: Any) -> bool:
    """Return whether a pipeline loads masks, wherever it stands.

    Raises:
        UserError: If it loads what no pseudo-label has.
    """
    if isinstance(settings, Mapping):
        if settings.get('with_seg') or settings.get('type') == 'LoadPanopticAnnotations':
            raise UserError(fault('', 'it learns from semantic maps, which no teacher gives'))
        return bool(settings.get('with_mask')) or any(map(_loads_masks, settings.values()))
    return isinstance(settings, (list, tuple)) and any(map(_loads_masks, settings))


def _check_that_labels_suffice(model: Mapping[str, Any]) -> None:
    """Raise a UserError if a detector learns of more than boxes, classes and masks, or of less."""
    if model['type'] == 'BaseReID':
        raise UserError(fault('', 'it learns from people that were cut out, and finds none'))
    if 'language_model' in model:
        raise UserError(fault('', 'it learns from texts, which no pseudo-label carries'))
    if model['type'] == 'RPN':
        raise UserError(fault('', 'it learns from boxes without a class'))
    if 'semi_train_cfg' in model:
        raise UserError(fault('', 'it learns from two views a picture; the detector in it learns'))
    if 'roi_head' in model and 'rpn_head' not in model:
        raise UserError(fault('', 'it learns from proposals made by another detector'))
    if 'track' in str(model.get('data_preprocessor', {}).get('type', '')).lower():
        raise UserError(fault('', 'it learns from videos'))
    if model.get('roi_head', {}).get('type') == 'MultiInstanceRoIHead':
        raise UserError(
            fault('', 'it learns from boxes of one class alone, whatever its num_classes is')
        )


def _make_it_run_here(settings: Any) -> None:
    """Leave out downloads and norms that need several processes, and take fewer RoIs."""
    if isinstance(settings, Mapping):
        if str(settings.get('type')).endswith('Sampler') and settings.get('num', 0) > MOST_ROIS:
            settings['num'] = MOST_ROIS  # type: ignore[index]
        if settings.get('type') in ('SyncBN', 'MMSyncBN'):
            settings['type'] = 'BN'  # type: ignore[index]
        # PyTorch refuses what NAS-FCOS sets.
        if settings.get('eps') == 0:
            settings['eps'] = 1e-5  # type: ignore[index]
        for key in ('init_cfg', 'pretrained', 'teacher_ckpt'):
            value = settings.get(key)
            if isinstance(value, str) or (isinstance(value, Mapping) and 'checkpoint' in value):
                settings[key] = None  # type: ignore[index]
            elif value is True:
                # timm's.
                settings[key] = False  # type: ignore[index]
        for value in settings.values():
            _make_it_run_here(value)
    elif isinstance(settings, (list, tuple)):
        for value in settings:
            _make_it_run_here(value)
