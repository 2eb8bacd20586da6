"""Tests of a student's ONNX file: it finds what the checkpoint finds, by its file alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmcompose.commands.export_student import export_student, exported_beside
from mmcompose.engine.onnx_export import read_input
from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Detections, iou
from mmcompose.teachers.mmdet.model import build_model
from mmcompose.utils import UserError
from tests.teachers.conftest import CLASSES, CONFIG, _make_image

FEATURES = {'num_classes': 3, 'in_channels': 8, 'feat_channels': 8, 'stacked_convs': 1}
POINTS = {'type': 'MlvlPointGenerator', 'offset': 0, 'strides': [8, 16, 32, 64, 128]}
QUALITY = {'type': 'QualityFocalLoss', 'use_sigmoid': True}
SQUARES = {
    'type': 'AnchorGenerator', 'octave_base_scale': 8, 'scales_per_octave': 1,
    'ratios': [1.0], 'strides': [8, 16, 32, 64, 128],
}  # fmt: skip
HEADS: dict[str, dict[str, Any]] = {
    'RetinaNet': {},
    'ATSS': {
        'type': 'ATSSHead', 'norm_cfg': {'type': 'BN'}, **FEATURES,
        'anchor_generator': SQUARES,
        'bbox_coder': {'type': 'DeltaXYWHBBoxCoder', 'target_stds': [0.1, 0.1, 0.2, 0.2]},
    },
    'FCOS': {
        'type': 'FCOSHead', 'norm_cfg': {'type': 'BN'}, **FEATURES,
        'norm_on_bbox': True,
        'centerness_on_reg': True, 'strides': [8, 16, 32, 64, 128],
    },
    'RTMDet': {
        'type': 'RTMDetHead', **FEATURES, 'with_objectness': False,
        'anchor_generator': POINTS, 'bbox_coder': {'type': 'DistancePointBBoxCoder'},
        'loss_cls': QUALITY, 'norm_cfg': {'type': 'BN'},
    },
    'YOLOX': {
        'type': 'YOLOXHead', **FEATURES, 'strides': [8, 16, 32, 64, 128],
    },
    'EfficientDet': {
        'type': 'mmcompose.EfficientDetHead', 'num_classes': 3, 'in_channels': 8,
        'stacked_convs': 1, 'anchor_generator': {'type': 'mmcompose.EfficientDetAnchorGenerator'},
        'bbox_coder': {'type': 'DeltaXYWHBBoxCoder'},
        'loss_cls': {'type': 'FocalLoss', 'use_sigmoid': True},
        'loss_bbox': {'type': 'L1Loss'},
    },
}  # fmt: skip
DETECTORS = {'EfficientDet': 'RetinaNet'}


def _config(head: str, padded: bool) -> Config:
    config = Config.fromstring(CONFIG, '.py')
    config.model.backbone.pop('init_cfg')
    config.model.type = DETECTORS.get(head, head)
    if HEADS[head]:
        config.model.pop('bbox_head')
        config.model.bbox_head = HEADS[head]
    config.model.test_cfg.score_thr = 0.05
    config.model.test_cfg.nms_pre = 100000
    if padded:
        pad = {'type': 'Pad', 'size': (160, 96), 'pad_val': {'img': (114, 114, 114)}}
        config.test_pipeline.insert(2, pad)
        config.test_dataloader.dataset.pipeline = config.test_pipeline
    return config


def _checkpoint(config: Config, path: Path) -> str:
    """Write a checkpoint as MMEngine does, of weights whose scores are far from each other."""
    torch.manual_seed(0)
    model = build_model(config)
    for name, parameter in model.bbox_head.named_parameters():
        if parameter.ndim == 4:
            torch.nn.init.normal_(parameter, std=0.3 if 'cls' in name else 0.05)
        elif name.endswith('bias'):
            # FCOS clips distances below 0: a student of boxes without a size is refused.
            torch.nn.init.constant_(parameter, float('conv_reg' in name))
    meta = {'dataset_meta': {'classes': CLASSES}, 'cfg': config.pretty_text}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, path)
    return str(path)


def _agreement(found: Detections, expected: Detections) -> float:
    """Return the share of boxes that the other has too: class, place and score."""
    same = iou(found.boxes, expected.boxes) > 0.99
    same &= found.labels[:, None] == expected.labels
    same &= np.abs(found.scores[:, None] - expected.scores) < 1e-3
    return float((same.any(0).sum() + same.any(1).sum()) / max(len(found) + len(expected), 1))


@pytest.mark.parametrize(
    ('head', 'padded'), [*((head, False) for head in HEADS), ('RTMDet', True), ('YOLOX', True)]
)
def test_the_file_finds_what_the_checkpoint_finds(head: str, padded: bool, tmp_path: Path) -> None:
    config = _config(head, padded)
    checkpoint = _checkpoint(config, tmp_path / 'student.pth')
    path = export_student(checkpoint)
    assert path == tmp_path / 'student.onnx'
    sizes = ((160, 96), (100, 60), (320, 150), (200, 120))
    images = [_make_image(tmp_path, number, *size) for number, size in enumerate(sizes)]
    trained = build(
        TEACHERS, {'type': 'mmcompose.MMDetTeacher', 'config': config, 'checkpoint': checkpoint}, ''
    )
    exported = build(TEACHERS, {'type': 'mmcompose.ONNXTeacher', 'model': str(path)}, '')
    assert exported.classes == CLASSES
    expected, found = trained.predict(images), exported.predict(images)
    assert all(5 < len(each) <= 1000 for each in expected)
    agreements = [_agreement(*pair) for pair in zip(found, expected, strict=True)]
    assert np.mean(agreements) >= 0.995, agreements


def test_a_scale_of_one_number_is_a_square() -> None:
    config = _config('RetinaNet', False)
    steps = config.test_dataloader.dataset.pipeline
    next(step for step in steps if step.type == 'Resize').scale = 128
    assert read_input(config).size == (128, 128)


def test_steps_of_no_data_loader_are_those_of_the_config() -> None:
    config = _config('RetinaNet', False)
    config.test_dataloader = config.val_dataloader = None
    assert read_input(config).size == (160, 96)
    config.test_pipeline = None
    with pytest.raises(UserError, match=r'^config: has no test pipeline'):
        read_input(config)


@pytest.fixture(scope='module')
def retinanet(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint with its config inside."""
    path = tmp_path_factory.mktemp('student') / 'student.pth'
    return _checkpoint(_config('RetinaNet', True), path)


def test_the_file_beside_a_checkpoint_is_used_where_it_was_made_of_it(
    retinanet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.commands.export_student.warn', told.append)
    checkpoint = tmp_path / 'student.pth'
    shutil.copy(retinanet, checkpoint)
    assert exported_beside(checkpoint, CLASSES) is None
    path = export_student(str(checkpoint))
    assert exported_beside(checkpoint, CLASSES) == path
    assert told == []
    assert exported_beside(checkpoint, CLASSES[::-1]) is None
    checkpoint.write_bytes(b'trained further')
    assert exported_beside(checkpoint, CLASSES) is None
    assert len(told) == 2 and 'mmcompose export student' in told[1]


def test_the_config_that_a_student_was_trained_by_needs_no_teacher(
    retinanet: str, tmp_path: Path
) -> None:
    config = _config('RetinaNet', True)
    config.model.bbox_head.num_classes = 80
    teacher = {'type': 'mmcompose.MMDetTeacher', 'config': 'none.py', 'checkpoint': 'none.pth'}
    config.composition = {'teachers': {'absent': teacher}}
    config.dump(tmp_path / 'c.py')
    path = export_student(retinanet, str(tmp_path / 'a.onnx'), str(tmp_path / 'c.py'))
    inside = export_student(retinanet, str(tmp_path / 'b.onnx'))
    assert path.with_suffix('.json').read_bytes() == inside.with_suffix('.json').read_bytes()
    made = (
        build(TEACHERS, {'type': 'mmcompose.ONNXTeacher', 'model': str(each)}, '')
        for each in (path, inside)
    )
    image = _make_image(tmp_path, 0, 160, 96)
    first, second = (each.predict([image])[0] for each in made)
    assert len(first) and _agreement(first, second) == 1


@pytest.mark.parametrize('text', ['{"classes": ["mine"]}', '[1]', 'mine'])
def test_a_json_that_no_export_made_is_kept(text: str, retinanet: str, tmp_path: Path) -> None:
    beside = tmp_path / 'a.json'
    beside.write_text(text)
    with pytest.raises(UserError, match=r"^out: '.*a\.json' is there already, and no export made"):
        export_student(retinanet, str(tmp_path / 'a.onnx'))
    assert beside.read_text() == text and not (tmp_path / 'a.onnx').exists()
    beside.unlink()
    for _ in range(2):
        export_student(retinanet, str(tmp_path / 'a.onnx'))


def test_another_size_makes_another_input(retinanet: str, tmp_path: Path) -> None:
    path = export_student(retinanet, str(tmp_path / 'large.onnx'), size=(200, 100))
    teacher = build(TEACHERS, {'type': 'mmcompose.ONNXTeacher', 'model': str(path)}, '')
    found = teacher.predict([_make_image(tmp_path, 0, 400, 200)])
    assert len(found[0]) and found[0].boxes.max() > 200
    about = json.loads(path.with_suffix('.json').read_text())
    # To a multiple of what the model's data preprocessor pads to.
    assert about['preprocess']['scale'] == [224, 128]


@pytest.mark.parametrize('size', [(0, 64), (64, -1)])
def test_a_size_of_no_pixel_is_no_size(
    size: tuple[int, int], retinanet: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r'^size: \(.*\) is no width and height of 1 pixel or more'):
        export_student(retinanet, str(tmp_path / 'a.onnx'), size=size)


def test_a_size_that_the_neck_cannot_take_is_one_line(tmp_path: Path) -> None:
    config = _config('RTMDet', padded=False)
    config.model.backbone.out_indices = (1, 2, 3)
    config.model.pop('neck')
    config.model.neck = {
        'type': 'CSPNeXtPAFPN', 'in_channels': [16, 32, 64], 'out_channels': 8,
        'num_csp_blocks': 1, 'norm_cfg': {'type': 'BN'},
    }  # fmt: skip
    config.model.data_preprocessor.pad_size_divisor = 1
    config.model.bbox_head.anchor_generator.strides = [8, 16, 32]
    checkpoint = _checkpoint(config, tmp_path / 'student.pth')
    with pytest.raises(UserError, match=r'^model: .* cannot be exported at 200x120 pixels: Sizes'):
        export_student(checkpoint, size=(200, 120))
    assert not (tmp_path / 'student.onnx').exists()
    assert export_student(checkpoint, size=(192, 128)).is_file()
    assert not list(tmp_path.glob('a.*'))


def test_what_stands_beside_the_file_decides_whose_predictions_they_are(
    retinanet: str, tmp_path: Path
) -> None:
    path = export_student(retinanet, str(tmp_path / 'a.onnx'))
    config = {'type': 'mmcompose.ONNXTeacher', 'model': str(path)}
    before = build(TEACHERS, config, '').identity
    beside = path.with_suffix('.json')
    beside.write_text(beside.read_text().replace('"cat"', '"cow"'))
    assert build(TEACHERS, config, '').identity != before
    beside.unlink()
    with pytest.raises(UserError, match=r'classes: is missing, and so is that of .*a\.json'):
        build(TEACHERS, config, 'teacher')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'model.test_cfg.nms.type': 'soft_nms'}, r"model\.test_cfg\.nms\.type: 'soft_nms' is"),
        ({'model.bbox_head.type': 'GFLHead'}, "model: 'GFLHead' cannot be exported"),
        ({'test_dataloader.dataset.pipeline.1.type': 'RandomCrop'}, "test_pipeline: 'RandomCrop'"),
    ],
)
def test_what_a_file_cannot_hold_is_named(
    retinanet: str, change: dict[str, str], message: str, tmp_path: Path
) -> None:
    config = _config('RetinaNet', True)
    config.merge_from_dict(change)
    if 'model.bbox_head.type' in change:
        config.model.bbox_head.pop('bbox_coder')
        config.model.bbox_head |= {'loss_cls': QUALITY, 'norm_cfg': {'type': 'BN'}}
        config.model.bbox_head.anchor_generator = SQUARES
        retinanet = _checkpoint(config, tmp_path / 'gfl.pth')
    with pytest.raises(UserError, match=message):
        export_student(retinanet, str(tmp_path / 'no.onnx'), config)
    assert not list(tmp_path.glob('no*'))


def test_the_config_in_a_checkpoint_runs_nothing(retinanet: str, tmp_path: Path) -> None:
    saved = torch.load(retinanet, weights_only=False)
    trace = tmp_path / 'trace'
    saved['meta']['cfg'] += f"\n__import__('pathlib').Path({str(trace)!r}).touch()\n"
    torch.save(saved, tmp_path / 'hostile.pth')
    with pytest.raises(UserError, match='holds a config that has more than plain values in line'):
        export_student(str(tmp_path / 'hostile.pth'))
    assert not trace.exists()
