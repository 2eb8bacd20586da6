"""Tests of set_num_classes: over every family of the installed MMDetection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmdet
import pytest
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmcompose.checks.check_model import model_problems
from mmcompose.engine.num_classes import set_num_classes
from mmcompose.utils import UserError

CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'
NUM_CLASSES = 7
COUNTS = ('num_classes', 'num_things_classes')
# Parts whose classes are not the student's.
OTHERS = ('rpn_head', 'semantic_head', 'reid', 'backbone', 'neck')
# No detectors, or without a model: trackers, re-identification, pieces of configs; Detectron2's
# own models (misc); and those that do not read without MMPretrain.
NOT_ONE = ('_base_', 'common', 'reid', 'misc', 'convnext', 'timm_example')

register_all_modules(init_default_scope=False)


def _one_of_each_family() -> Iterator[Any]:
    for family in sorted(path for path in CONFIGS.iterdir() if path.is_dir()):
        found = sorted(family.glob('*.py'))
        if family.name not in NOT_ONE and found:
            yield pytest.param(found[0], id=family.name)


def _read(name: str) -> Any:
    return Config.fromfile(CONFIGS / name).model


def _counts(config: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    if isinstance(config, dict):
        for key, value in config.items():
            if key in COUNTS:
                yield f'{path}.{key}', value
            yield from _counts(value, f'{path}.{key}')
    elif isinstance(config, (list, tuple)):
        for number, value in enumerate(config):
            yield from _counts(value, f'{path}.{number}')


@pytest.mark.parametrize('path', _one_of_each_family())
def test_every_stated_count_of_a_family_becomes_the_students_and_no_other(path: Path) -> None:
    config = Config.fromfile(path)
    if 'model' not in config:
        pytest.skip('no model')
    before = dict(_counts(config.model))
    set_num_classes(config.model, NUM_CLASSES, MODELS)
    after = dict(_counts(config.model))
    for place, count in after.items():
        if any(f'.{other}' in place for other in OTHERS):
            assert count == before[place], place
        else:
            assert count == NUM_CLASSES, place
    heads = [place for place in after if not any(f'.{other}' in place for other in OTHERS)]
    assert heads or path.parent.name in ('rpn', 'selfsup_pretrain'), 'no head has a count'
    # A count that nobody states is hidden in a signature's default: COCO's 80, or 1203.
    _forget(config.model, heads)
    assert not set(heads) & dict(_counts(config.model)).keys()
    set_num_classes(config.model, NUM_CLASSES, MODELS)
    assert {place: dict(_counts(config.model)).get(place) for place in heads} == dict.fromkeys(
        heads, NUM_CLASSES
    )


def _forget(model: Any, places: list[str]) -> None:
    """Delete entries of a model's config; see :func:`_counts`."""
    for place in places:
        *parts, name = place.split('.')[1:]
        holder = model
        for part in parts:
            holder = holder[int(part)] if isinstance(holder, (list, tuple)) else holder[part]
        del holder[name]


@pytest.mark.parametrize('path', _one_of_each_family())
def test_no_argument_of_a_familys_model_is_taken_for_a_mistake(path: Path) -> None:
    config = Config.fromfile(path)
    if 'model' in config:
        with DefaultScope.overwrite_default_scope('mmdet'):
            assert model_problems(config) == []


def test_a_count_that_a_signature_hides_is_set() -> None:
    model = _read('mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py')
    del model.roi_head.bbox_head['num_classes'], model.roi_head.mask_head['num_classes']
    set_num_classes(model, NUM_CLASSES, MODELS)
    assert model.roi_head.bbox_head.num_classes == NUM_CLASSES
    assert model.roi_head.mask_head.num_classes == NUM_CLASSES


def test_every_stage_of_a_cascade_is_set() -> None:
    model = _read('cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py')
    set_num_classes(model, NUM_CLASSES, MODELS)
    assert [head.num_classes for head in model.roi_head.bbox_head] == [NUM_CLASSES] * 3


def test_region_proposals_stay_class_agnostic() -> None:
    model = _read('centernet/centernet-update_r50-caffe_fpn_ms-1x_coco.py')
    model['rpn_head'] = {'type': 'FCOSHead', 'num_classes': 1, 'in_channels': 8}
    set_num_classes(model, NUM_CLASSES, MODELS)
    assert model.rpn_head.num_classes == 1


def test_stuff_of_a_hybrid_task_cascade_stays() -> None:
    model = _read('htc/htc_r50_fpn_1x_coco.py')
    set_num_classes(model, NUM_CLASSES, MODELS)
    assert model.roi_head.semantic_head.num_classes == 183
    assert model.roi_head.mask_head[0].num_classes == NUM_CLASSES


@pytest.mark.parametrize(
    'path',
    [
        'mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py',
        'maskformer/maskformer_r50_ms-16xb1-75e_coco.py',
    ],
)
def test_things_of_panoptic_heads_and_their_class_weights_are_set(path: str) -> None:
    model = _read(path)
    set_num_classes(model, NUM_CLASSES, MODELS)
    head = model.panoptic_head
    assert head.num_things_classes == model.panoptic_fusion_head.num_things_classes == NUM_CLASSES
    weights = head.loss_cls.class_weight
    assert len(weights) == NUM_CLASSES + head.num_stuff_classes + 1
    assert weights[-1] == 0.1


def test_class_weights_of_the_students_own_classes_stay() -> None:
    model = _read('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')
    weights = [1.0, 2.0, 3.0, 0.1]
    model.roi_head.bbox_head.num_classes = 3
    model.roi_head.bbox_head.loss_cls.class_weight = list(weights)
    set_num_classes(model, 3, MODELS)
    assert model.roi_head.bbox_head.loss_cls.class_weight == weights


def test_class_weights_that_differ_are_not_made_alike() -> None:
    model = _read('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')
    model.roi_head.bbox_head.num_classes = 2
    model.roi_head.bbox_head.loss_cls.class_weight = [1.0, 9.0, 0.1]
    where = r'^model\.roi_head\.bbox_head\.loss_cls\.class_weight: '
    told = where + r'\[1\.0, 9\.0, 0\.1\] has weights of 2 classes, and the student has 3'
    with pytest.raises(UserError, match=told):
        set_num_classes(model, 3, MODELS)


SMALL = {
    'one stage': ('retinanet/retinanet_r18_fpn_1x_coco.py', 'bbox_head.retina_cls', 9 * 7),
    'two stage': ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', 'roi_head.bbox_head.fc_cls', 8),
    'cascade': ('cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py', 'roi_head.bbox_head.2.fc_cls', 8),
    'mask': ('mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', 'roi_head.mask_head.conv_logits', 7),
    'detr': ('detr/detr_r50_8xb2-150e_coco.py', 'bbox_head.fc_cls', 8),
    'dino': ('dino/dino-4scale_r50_8xb2-12e_coco.py', 'bbox_head.cls_branches.0', 7),
    'yolox': ('yolox/yolox_tiny_8xb8-300e_coco.py', 'bbox_head.multi_level_conv_cls.0', 7),
    'mask2former': (
        'mask2former/mask2former_r50_8xb2-lsj-50e_coco.py',
        'panoptic_head.cls_embed',
        8,
    ),
}


@pytest.mark.parametrize(('path', 'layer', 'rows'), SMALL.values(), ids=SMALL)
def test_the_built_layer_has_a_row_for_each_class(path: str, layer: str, rows: int) -> None:
    model = _read(path)
    set_num_classes(model, NUM_CLASSES, MODELS)
    # A ResNet-50 would be most of the time; what is asked is in the heads.
    if model.backbone.type == 'ResNet' and model.backbone.depth == 50:
        model.backbone.base_channels = 16
        _narrow(model.get('neck'))
        if 'pixel_decoder' in model.get('panoptic_head', {}):
            model.panoptic_head.in_channels = [64, 128, 256, 512]
    with DefaultScope.overwrite_default_scope('mmdet'):
        built = MODELS.build(model)
    assert built.get_submodule(layer).weight.shape[0] == rows


def _narrow(neck: Any) -> None:
    if neck is not None and isinstance(neck.in_channels, list):
        neck.in_channels = [channels // 4 for channels in neck.in_channels]
