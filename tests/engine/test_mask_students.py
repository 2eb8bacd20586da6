"""From teachers that see masks to a Mask R-CNN that learns them, by a config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import RUNNERS

from mmcompose.checks.check_mask_support import check_mask_support
from mmcompose.commands.evaluate import evaluate_config
from mmcompose.datasets import pseudo_labeled
from mmcompose.engine import resolve
from mmcompose.structures import decode_masks
from mmcompose.utils import UserError
from tests import mask_rcnn, toys
from tests.engine.test_training import ITERATIONS
from tests.engine.toys import TEST_PIPELINE, TRAIN_PIPELINE, student_config

LOAD = {'type': 'LoadAnnotations', 'with_bbox': True, 'with_mask': True}
BOXES = toys.TEACHERS


def _masks_loaded(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [LOAD if step['type'] == 'LoadAnnotations' else step for step in steps]


def mask_config(pool: Path, truth: str, folder: Path, teachers: dict[str, Any]) -> Config:
    """Return a config of a tiny Mask R-CNN that learns from toy teachers."""
    config = student_config(pool, truth, folder)
    config.model = mask_rcnn.model()
    config.composition.teachers = teachers
    config.train_dataloader.dataset.pipeline = _masks_loaded(TRAIN_PIPELINE)
    for name in ('val', 'test'):
        config[f'{name}_dataloader'].dataset.pipeline = _masks_loaded(TEST_PIPELINE)
        config[f'{name}_evaluator'].metric = ['bbox', 'segm']
    config.train_cfg = {**ITERATIONS, 'val_interval': 2}
    config.experiment_name = folder.name
    config.pop('visualizer', None)
    return config


@pytest.fixture(scope='module')
def masks_truth(drawn: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp('masks') / 'truth.json'
    return toys.write_coco(path, drawn, {7: 'blue', 2: 'red', 5: 'green'}, masks=True)


def _train(config: Config) -> Any:
    runner = RUNNERS.build(config)
    runner.train()
    return runner


def test_masks_go_all_the_way(pool: Path, masks_truth: str, tmp_path: Path) -> None:
    config = mask_config(pool, masks_truth, tmp_path, mask_rcnn.TEACHERS)
    runner = _train(config)
    (dataset,) = pseudo_labeled(runner.train_dataloader.dataset)
    scalars = runner.message_hub.log_scalars
    assert scalars['train/loss_mask'].current() > 0
    assert 'val/coco/segm_mAP' in scalars and 'val/coco/bbox_mAP' in scalars
    # What the student is given is what the teachers saw: a rectangle but for its first row.
    item = dataset[0]['data_samples'].gt_instances
    assert len(item) == 3
    for box, mask in zip(item.bboxes.tensor.numpy().astype(int), item.masks.masks, strict=True):
        expected = np.zeros((64, 96), bool)
        expected[box[1] + 1 : box[3], box[0] : box[2]] = True
        np.testing.assert_array_equal(mask.astype(bool), expected)
    found = dataset.labels[0]
    assert decode_masks(found.masks, 96, 64).sum() == item.masks.masks.sum()


def test_teachers_and_fused_labels_are_scored_by_masks(
    pool: Path, masks_truth: str, tmp_path: Path
) -> None:
    teachers = {'first': mask_rcnn.TEACHERS['first'], 'second': BOXES['second']}
    table = evaluate_config(mask_config(pool, masks_truth, tmp_path, teachers))
    figures = table.to_dict()['rows']
    assert figures['first']['mask AP50'] > 0.5
    # Blue is known to a teacher of boxes alone.
    assert figures['second']['mask AP50'] is None
    assert figures['fused']['AP50'] > figures['fused']['mask AP50'] > 0.5


def test_boxes_without_a_mask_are_ignored_by_a_mask_student_alone(
    pool: Path, truth: str, masks_truth: str, tmp_path: Path
) -> None:
    teachers = {'first': mask_rcnn.TEACHERS['first'], 'second': BOXES['second']}
    runner = RUNNERS.build(mask_config(pool, masks_truth, tmp_path / 'mask', teachers))
    (dataset,) = pseudo_labeled(runner.build_dataloader(runner._train_dataloader).dataset)
    classes = dataset.metainfo['classes']
    instances = dataset.get_data_info(0)['instances']
    ignored = {classes[each['bbox_label']]: each['ignore_flag'] for each in instances}
    assert ignored == {'green': 0, 'red': 0, 'blue': 1}
    kept = dict(zip(classes, dataset.count_boxes().tolist(), strict=True))
    assert kept['blue'][0] == 0 < kept['blue'][1]
    # None of them is lost on the way to the model.
    sample = dataset[0]['data_samples']
    assert len(sample.gt_instances) == 2 and len(sample.ignored_instances) == 1
    # Some transforms take boxes from masks.
    boxes = sample.ignored_instances.masks.get_bboxes('hbox').tensor
    np.testing.assert_allclose(boxes, sample.ignored_instances.bboxes.tensor)

    config = student_config(pool, truth, tmp_path / 'box')
    config.composition.teachers = teachers
    config.experiment_name = 'box student'
    config.pop('visualizer', None)
    runner = RUNNERS.build(config)
    (dataset,) = pseudo_labeled(runner.build_dataloader(runner._train_dataloader).dataset)
    instances = dataset.get_data_info(0)['instances']
    assert [each['ignore_flag'] for each in instances] == [0, 0, 0]
    assert all('mask' not in each for each in instances)


def test_no_teacher_that_could_give_masks_is_told_at_once(
    pool: Path, masks_truth: str, tmp_path: Path
) -> None:
    listed = tmp_path / 'texts'
    listed.mkdir()
    (listed / '000.txt').write_text('0 0.5 0.5 0.1 0.1 0.9')
    boxes = {'type': 'mmcompose.COCOResultsTeacher', 'results': str(listed), 'classes': ['red']}
    config = mask_config(pool, masks_truth, tmp_path, {'texts': boxes})
    expected = (
        r'^train_dataloader\.dataset\.pipeline\[1\]\.with_mask: True loads masks, but no teacher '
        r'gives any: texts \(COCOResultsTeacher\)'
    )
    with pytest.raises(UserError, match=expected):
        resolve(config)
    assert not (tmp_path / 'store').exists()


def test_labels_that_turn_out_to_have_no_mask_are_told_before_training(
    pool: Path, masks_truth: str, tmp_path: Path
) -> None:
    # A function may give masks; whether it does is known when it was asked.
    config = mask_config(pool, masks_truth, tmp_path, BOXES)
    with pytest.raises(UserError, match=r'with_mask=True\), but no pseudo-label has one'):
        _train(config)


def test_polygons_are_told(pool: Path, masks_truth: str, tmp_path: Path) -> None:
    config = mask_config(pool, masks_truth, tmp_path, mask_rcnn.TEACHERS)
    config.train_dataloader.dataset.pipeline[1].poly2mask = False
    with pytest.raises(UserError, match=r'pipeline\[1\]\.poly2mask: False reads polygons alone'):
        resolve(config)
    config.train_dataloader.dataset.pipeline[1].poly2mask = True
    switch = {'type': 'PipelineSwitchHook', 'switch_epoch': 1}
    steps = [{'type': 'LoadImageFromFile'}, {**LOAD, 'poly2mask': False}]
    config.custom_hooks = [{**switch, 'switch_pipeline': [*steps, {'type': 'PackDetInputs'}]}]
    expected = r'^custom_hooks\[0\]\.switch_pipeline\[1\]\.poly2mask'
    with pytest.raises(UserError, match=expected):
        resolve(config)


def test_ground_truth_may_have_polygons(pool: Path, masks_truth: str, tmp_path: Path) -> None:
    config = mask_config(pool, masks_truth, tmp_path, BOXES)
    config.train_dataloader.dataset = config.val_dataloader.dataset
    config.train_dataloader.dataset.pipeline[2].poly2mask = False
    check_mask_support(config, None)  # type: ignore[arg-type]


def test_the_config_of_the_zoo_is_one(tmp_path: Path) -> None:
    name = 'mask-rcnn-r50_coco_mask-rcnn-r101_coco_mask-rcnn-r18.py'
    config = Config.fromfile(Path(__file__).parents[2] / 'configs/compose/zoo' / name)
    config.composition.teachers = mask_rcnn.TEACHERS
    config.composition.store = str(tmp_path)
    resolved = resolve(config).config
    assert resolved.model.roi_head.mask_head.num_classes == 3
    assert resolved.val_evaluator.metric == ['bbox', 'segm']
