"""Of a model that tells things from stuff, what tells things teaches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmcompose.structures import Image
from mmcompose.teachers import MMDetTeacher
from mmcompose.teachers.mmdet.panoptic import asked_for_boxes
from tests import mask_rcnn
from tests.teachers.conftest import CONFIG

THINGS, STUFF = ('cat', 'dog', 'tree'), ('sky', 'sea')


def test_a_model_that_may_say_segments_is_asked_for_boxes() -> None:
    panoptic = {'panoptic_on': True, 'semantic_on': True, 'instance_on': False, 'iou_thr': 0.8}
    config = asked_for_boxes(Config({'model': {'test_cfg': panoptic}}))
    assert config.model.test_cfg == {
        'panoptic_on': False,
        'semantic_on': False,
        'instance_on': True,
        'iou_thr': 0.8,
    }
    other = Config({'model': {'test_cfg': {'score_thr': 0.1}}})
    assert asked_for_boxes(other).model.test_cfg == {'score_thr': 0.1}


def test_the_mask_rcnn_in_a_panoptic_fpn_teaches_things(
    tmp_path: Path, make_images: Callable[..., list[Image]]
) -> None:
    config = Config.fromstring(CONFIG, '.py')
    config.model = mask_rcnn.model()
    config.dump(tmp_path / 'mask_rcnn.py')
    counts = {'num_things_classes': len(THINGS), 'num_stuff_classes': len(STUFF)}
    semantic_head = {
        **counts,
        'type': 'PanopticFPNHead',
        'in_channels': 8,
        'inner_channels': 8,
        'norm_cfg': {'type': 'BN'},
        'end_level': 2,
        'loss_seg': {'type': 'CrossEntropyLoss'},
    }
    config.model.update(
        type='PanopticFPN',
        semantic_head=semantic_head,
        panoptic_fusion_head={**counts, 'type': 'HeuristicFusionHead'},
    )
    config.model.test_cfg.panoptic = {'mask_overlap': 0.5, 'stuff_area_limit': 1}
    config.dump(tmp_path / 'panoptic.py')
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(config.model)
    model.init_weights()
    meta = {'dataset_meta': {'classes': THINGS + STUFF}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, tmp_path / 'panoptic.pth')
    inside = {k: v for k, v in model.state_dict().items() if not k.startswith('semantic_head')}
    meta = {'dataset_meta': {'classes': THINGS}}
    torch.save({'state_dict': inside, 'meta': meta}, tmp_path / 'mask_rcnn.pth')

    said = []
    for name in ('panoptic', 'mask_rcnn'):
        files = (str(tmp_path / f'{name}.py'), str(tmp_path / f'{name}.pth'))
        teacher = MMDetTeacher(*files, device='cpu')
        assert teacher.classes == THINGS
        said.append(teacher.predict(make_images((80, 60)))[0])
    assert len(said[0]) > 0
    assert said[0].boxes.tolist() == said[1].boxes.tolist()
    assert said[0].scores.tolist() == said[1].scores.tolist()
    assert said[0].labels.tolist() == said[1].labels.tolist()
