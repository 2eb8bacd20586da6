"""Teachers that say masks: over the original image, of every kind that can."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector
from mmengine.config import Config
from pycocotools import mask as coco

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image, as_masks, decode_masks, encode_masks
from mmcompose.teachers import Teacher
from mmcompose.teachers.mmdet.config import read_config
from mmcompose.teachers.mmdet.model import build_model
from mmcompose.teachers.mmdet.results import may_give_masks
from mmcompose.utils import UserError
from tests import mask_rcnn, toys
from tests.teachers.conftest import CLASSES, CONFIG

SIZES = ((80, 60), (60, 80), (80, 60))


def _build(settings: dict[str, Any], /, **changes: Any) -> Teacher:
    return build(TEACHERS, {**settings, **changes}, 'composition.teachers.tiny')


@pytest.fixture(scope='module')
def teacher_config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A Mask R-CNN of random weights, whose masks are neither full nor empty."""
    folder = tmp_path_factory.mktemp('mask_rcnn')
    config = Config.fromstring(CONFIG, '.py')
    config.model = mask_rcnn.model()
    # As MMDetection's base: what is below is no detection.
    config.model.test_cfg.rcnn.score_thr = 0.05
    config.dump(folder / 'tiny.py')
    torch.manual_seed(1)
    model = build_model(config)
    torch.nn.init.normal_(model.roi_head.bbox_head.fc_cls.weight, std=1.0)
    torch.nn.init.normal_(model.roi_head.mask_head.conv_logits.weight, std=1.0)
    meta = {'dataset_meta': {'classes': CLASSES}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, folder / 'tiny.pth')
    return {
        'type': 'mmcompose.MMDetTeacher',
        'config': str(folder / 'tiny.py'),
        'checkpoint': str(folder / 'tiny.pth'),
        'device': 'cpu',
    }


@pytest.fixture(scope='module')
def images(make_images: Callable[..., list[Image]]) -> list[Image]:
    return make_images(*SIZES)


def test_a_mask_rcnn_gives_the_masks_of_mmdet_itself(
    teacher_config: dict[str, Any], images: list[Image]
) -> None:
    options = {'test_dataloader.dataset.ann_file': '', 'test_dataloader.dataset.lazy_init': True}
    files = (teacher_config['config'], teacher_config['checkpoint'])
    model = init_detector(*files, 'random', 'cpu', options)
    teacher = _build(teacher_config, batch_size=1)
    assert teacher.may_give_masks
    seen = 0
    for image, found in zip(images, teacher.predict(images), strict=True):
        expected = inference_detector(model, image.path).pred_instances
        masks = decode_masks(found.masks, image.width, image.height)
        boxes, bitmaps = expected.bboxes.numpy(), expected.masks.numpy()
        inside = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        assert bitmaps.shape[1:] == (image.height, image.width)
        np.testing.assert_array_equal(masks, bitmaps[inside])
        seen += sum(0 < mask.sum() < mask.size for mask in masks)
    assert seen > 3


def test_masks_can_be_left_out(teacher_config: dict[str, Any], images: list[Image]) -> None:
    bare = _build(teacher_config, masks=False)
    assert not bare.may_give_masks
    assert all(found.masks is None for found in bare.predict(images))
    assert bare.identity != _build(teacher_config).identity


def test_a_box_detector_gives_none(config_file: str, checkpoint_file: str) -> None:
    settings = {'type': 'mmcompose.MMDetTeacher', 'config': config_file, 'device': 'cpu'}
    teacher = _build(settings, checkpoint=checkpoint_file)
    assert not teacher.may_give_masks
    # The address of predictions that were made before there were masks.
    assert set(teacher.identity) == {'settings', 'checkpoint'}


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', True),
        ('mask2former/mask2former_r50_8xb2-lsj-50e_coco.py', True),
        ('rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py', True),
        ('solov2/solov2_r50_fpn_1x_coco.py', True),
        ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', False),
        ('yolox/yolox_s_8xb8-300e_coco.py', False),
        ('dino/dino-4scale_r50_8xb2-12e_coco.py', False),
    ],
)
def test_what_a_config_tells_of_masks(name: str, expected: bool) -> None:
    assert may_give_masks(read_config(f'mmdet::{name}').model) is expected


def test_views_are_merged_by_the_ensemble_and_not_by_mmdet(
    teacher_config: dict[str, Any], images: list[Image]
) -> None:
    with pytest.raises(UserError, match=r'^composition.teachers.tiny.tta: .*EnsembleTeacher'):
        _build(teacher_config, tta=True)
    ensemble = _build({'type': 'mmcompose.EnsembleTeacher', 'members': [teacher_config]}, flip=True)
    assert ensemble.may_give_masks
    assert any(mask is not None for found in ensemble.predict(images) for mask in found.masks)


def test_a_mirrored_mask_is_turned_back(tmp_path: Path) -> None:
    toys.draw(tmp_path, 1)
    (image,) = toys.images_in(tmp_path)
    member = mask_rcnn.TEACHERS['first']
    ensemble = {'type': 'mmcompose.EnsembleTeacher', 'members': [member], 'flip': True}
    (alone,), (both,) = (_build(each).predict([image]) for each in (member, ensemble))
    assert len(alone) == 2
    assert alone.sorted().masks.tolist() == both.sorted().masks.tolist()


@pytest.mark.parametrize(
    ('name', 'count'),
    [('bitmaps', 2), ('rles', 2), ('missing', 1)],
)
def test_a_function_may_return_masks(tmp_path: Path, name: str, count: int) -> None:
    toys.draw(tmp_path, 1)
    (image,) = toys.images_in(tmp_path)
    member = mask_rcnn.TEACHERS['first']
    teacher = _build(member, function=f'tests.teachers.test_masks.{name}')
    (found,) = teacher.predict([image])
    (expected,) = _build(member).predict([image])
    assert found.masks.tolist()[:count] == expected.masks.tolist()[:count]
    assert sum(mask is not None for mask in found.masks) == count


def bitmaps(pixels: Any, colours: Any) -> Any:
    """See masks as arrays of 0 and 1."""
    boxes, scores, labels, masks = mask_rcnn.see(pixels, colours)
    return boxes, scores, labels, masks.astype(np.uint8)


def rles(pixels: Any, colours: Any) -> Any:
    """See masks as COCO writes them."""
    boxes, scores, labels, masks = mask_rcnn.see(pixels, colours)
    return boxes, scores, labels, [coco.encode(np.asfortranarray(m, np.uint8)) for m in masks]


def missing(pixels: Any, colours: Any) -> Any:
    """See no mask of the second box."""
    boxes, scores, labels, masks = rles(pixels, colours)
    return boxes, scores, labels, [masks[0], None]


def too_small(pixels: Any, colours: Any) -> Any:
    """See masks of half the picture."""
    boxes, scores, labels, masks = mask_rcnn.see(pixels, colours)
    return boxes, scores, labels, masks[:, ::2, ::2]


def test_masks_of_another_size_are_a_mistake(tmp_path: Path) -> None:
    toys.draw(tmp_path, 1)
    teacher = _build(mask_rcnn.TEACHERS['first'], function='tests.teachers.test_masks.too_small')
    with pytest.raises(UserError, match='masks are 48x32 pixels, the image is 96x64'):
        teacher.predict(toys.images_in(tmp_path))


def _results(folder: Path, results: list[dict[str, Any]]) -> Teacher:
    listed = {
        'images': [{'id': 7, 'file_name': 'a.png'}, {'id': 8, 'file_name': 'b.png'}],
        'categories': [{'id': 3, 'name': 'cat'}],
    }
    (folder / 'images.json').write_text(json.dumps(listed))
    rows = [{'image_id': 7, 'category_id': 3, 'score': 0.5, **each} for each in results]
    (folder / 'results.json').write_text(json.dumps(rows))
    files = {name: str(folder / f'{name}.json') for name in ('results', 'images')}
    return _build({'type': 'mmcompose.COCOResultsTeacher', **files})


def test_results_with_segmentation(tmp_path: Path) -> None:
    image = Image('a.png', 'a.png', 40, 30)
    bitmap = np.zeros((30, 40), bool)
    bitmap[5:9, 10:20] = True
    (mask,) = encode_masks(bitmap[None])
    rle = {'size': [30, 40], 'counts': mask.decode()}
    polygon = [[10, 5, 20, 5, 20, 9, 10, 9]]
    teacher = _results(
        tmp_path,
        [
            {'segmentation': rle},
            {'segmentation': polygon, 'bbox': [9, 4, 12, 6]},
            {'bbox': [0, 0, 5, 5]},
        ],
    )
    assert teacher.may_give_masks
    found, other = teacher.predict([image, Image('b.png', 'b.png', 40, 30)])
    assert found.boxes.tolist() == [[10, 5, 20, 9], [9, 4, 21, 10], [0, 0, 5, 5]]
    assert found.masks.tolist() == [mask, *as_masks([polygon], 40, 30), None]
    assert len(other) == 0 and other.masks is None


@pytest.mark.parametrize('bbox', [[0.0, 0.0, 0.0, 0.0], [], None])
def test_results_of_a_mask_whose_box_nobody_wrote(tmp_path: Path, bbox: Any) -> None:
    # Four zeros are what MMDetection writes of SOLO.
    rows = [
        {'segmentation': [[10, 5, 20, 5, 20, 9, 10, 9]], 'bbox': bbox},
        {'segmentation': [[0, 0, 8, 0, 8, 6, 0, 6]], 'bbox': bbox},
    ]
    (found,) = _results(tmp_path, rows * 2).predict([Image('a.png', 'a.png', 40, 30)])
    assert found.boxes.tolist() == [[10, 5, 20, 9], [0, 0, 8, 6]] * 2


@pytest.mark.parametrize(
    ('row', 'told'),
    [
        ({'segmentation': {'size': [3, 4], 'counts': '1'}}, "of 'a.png', .* 4x3 pixels"),
        ({}, 'has no bbox of x, y, width, height in entry 0'),
    ],
)
def test_results_that_are_no_masks(tmp_path: Path, row: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=f'^results: .*{told}'):
        _results(tmp_path, [row]).predict([Image('a.png', 'a.png', 40, 30)])
