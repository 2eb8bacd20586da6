"""The detector inside a tracker teaches by itself, as it does alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image
from tests.teachers.conftest import CLASSES

TRACKER = """
_base_ = {detector!r}
detector = _base_.model
detector.pop('data_preprocessor')
model = dict(
    _delete_=True, type='QDTrack', detector=detector,
    data_preprocessor=dict(
        type='TrackDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True, pad_size_divisor=32, use_det_processor=True),
    tracker=dict(type='NoTrackerOfThisNameIsBuilt'))
test_dataloader = dict(_delete_=True, dataset=dict(type='MOTChallengeDataset', pipeline=[
    dict(type='TransformBroadcaster', transforms=[
        dict(type='LoadImageFromFile', backend_args=None),
        dict(type='Resize', scale=(160, 96), keep_ratio=True),
        dict(type='LoadTrackAnnotations')]),
    dict(type='PackTrackInputs')]))
"""


@pytest.mark.parametrize('prefix', ['detector.', ''])
def test_a_tracker_teaches_as_its_detector_does(
    teacher_config: dict[str, Any],
    weights: dict[str, torch.Tensor],
    make_images: Callable[..., list[Image]],
    tmp_path: Path,
    prefix: str,
) -> None:
    text = TRACKER.format(detector=teacher_config['config'])
    (tmp_path / 'tracker.py').write_text(text)
    assert Config.fromfile(tmp_path / 'tracker.py').model.type == 'QDTrack'
    content = {f'{prefix}{name}': tensor for name, tensor in weights.items()}
    if prefix:
        content['track_head.weight'] = torch.zeros(3)
    meta = {'dataset_meta': {'classes': CLASSES}}
    torch.save({'state_dict': content, 'meta': meta}, tmp_path / 'tracker.pth')
    changes = {
        'config': str(tmp_path / 'tracker.py'),
        'checkpoint': str(tmp_path / 'tracker.pth'),
    }
    tracker = build(TEACHERS, {**teacher_config, **changes}, 'teacher')
    alone = build(TEACHERS, teacher_config, 'teacher')
    images = make_images((80, 60), (120, 50))
    for one, other in zip(tracker.predict(images), alone.predict(images), strict=True):
        assert len(one) > 0
        assert one.boxes.tolist() == other.boxes.tolist()
        assert one.scores.tolist() == other.scores.tolist()
