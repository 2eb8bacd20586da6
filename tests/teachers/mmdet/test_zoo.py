"""A bare model name is found through the zoo's metafiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image
from mmcompose.teachers.mmdet.zoo import zoo_model
from mmcompose.utils import UserError


@pytest.mark.parametrize(
    'name', ['rtmdet_tiny_8xb32-300e_coco', 'rtmdet-t', 'mmdet::rtmdet_tiny_8xb32-300e_coco']
)
def test_a_name_or_alias_gives_config_and_weights(name: str) -> None:
    model = zoo_model(name)
    assert Path(model.config).is_file()
    assert Path(model.config).name == 'rtmdet_tiny_8xb32-300e_coco.py'
    assert model.checkpoint.startswith('https://')
    assert model.checkpoint.endswith('.pth')


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('rtmdet_tiny_8xb32-300e_cocoo', "did you mean 'rtmdet_tiny_8xb32-300e_coco'"),
        ('mmnothing::a', 'is of mmnothing, which has no zoo here'),
    ],
)
def test_an_unknown_name_is_told(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        zoo_model(name)


def test_a_zoo_model_with_ones_own_weights_needs_no_network(
    teacher_config: dict[str, Any], make_images: Callable[..., list[Image]]
) -> None:
    config = {
        'type': 'mmcompose.MMDetTeacher',
        'model': 'retinanet_r18_fpn_1x_coco',
        'checkpoint': teacher_config['checkpoint'],
    }
    teacher = build(TEACHERS, config, 'teacher')
    assert teacher.classes == ('cat', 'dog', 'tree')
    with pytest.raises(UserError, match='does not fit the config'):
        teacher.predict(make_images((40, 30)))


def test_without_network_a_zoo_model_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def offline(url: str, target: str, progress: bool) -> None:
        raise OSError('no network')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', offline)
    config = {'type': 'mmcompose.MMDetTeacher', 'model': 'rtmdet-t'}
    with pytest.raises(UserError, match=r'cannot be downloaded \(no network\); where'):
        build(TEACHERS, config, 'teacher')
