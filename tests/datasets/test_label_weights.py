"""Tests of weights on their way through MMDet's transforms: each stays with its box."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.datasets import MultiImageMixDataset
from mmdet.registry import TRANSFORMS
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DefaultScope

from mmcompose.datasets.mask_labels import instances_for_mask_student
from mmcompose.datasets.transforms.label_weights import decode_labels, encode_labels
from mmcompose.utils import UserError

SIZE = 64
# Every label has its own weight and score, by which a box is known again.
WEIGHT = {label: np.float32(0.1 + 0.37 * label) for label in range(40)}
SCORE = {label: (7 * label % 40) / 39 for label in range(40)}

ROWS = st.lists(
    st.tuples(
        st.integers(0, 2**16 - 1),
        st.floats(0, 3.0000000054977558e38, width=32),
        st.floats(0, 1),
    )
)


@settings(deadline=None, derandomize=True)
@given(rows=ROWS)
def test_labels_and_weights_come_back_to_the_bit(rows: list[tuple[int, float, float]]) -> None:
    labels, weights, scores = (np.array([row[i] for row in rows]) for i in range(3))
    codes = encode_labels(labels, weights, scores)
    assert (codes < 0).all() and codes.dtype == np.int64
    got = decode_labels(codes)
    np.testing.assert_array_equal(got[0], labels.astype(np.int64))
    np.testing.assert_array_equal(got[1], weights.astype(np.float32))
    np.testing.assert_allclose(got[2], scores, atol=0.5 / 65535 + 1e-7)
    assert [array.dtype for array in got] == [np.int64, np.float32, np.float32]


def test_a_label_for_which_there_are_no_bits_is_refused() -> None:
    assert decode_labels(encode_labels([65535], [1], [1]))[0].tolist() == [65535]
    with pytest.raises(UserError, match=r'num_classes: 65537 is too many'):
        encode_labels([0, 65536], [1, 1], [1, 1])


def test_plain_labels_count_one() -> None:
    labels, weights, scores = decode_labels([0, 5, 2**20])
    assert labels.tolist() == [0, 5, 2**20]
    assert weights.tolist() == scores.tolist() == [1, 1, 1]


class _Images(BaseDataset):
    """Images with four boxes each; no two boxes of the set have one label."""

    def load_data_list(self) -> list[dict[str, Any]]:
        return [{'number': number} for number in range(8)]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        info: dict[str, Any] = super().get_data_info(idx)
        corners = [(2, 2), (34, 4), (5, 36), (33, 33)]
        instances = []
        for number, (x, y) in enumerate(corners):
            label = 4 * info['number'] + number
            instances.append(
                {
                    'bbox': [x, y, x + 24, y + 22],
                    'bbox_label': label,
                    'ignore_flag': int(number == 3),
                    'weight': float(WEIGHT[label]),
                    'score': SCORE[label],
                    'mask': [[x, y, x + 24, y, x + 24, y + 22, x, y + 22]],
                }
            )
        image = np.full((SIZE, SIZE, 3), 8 * info['number'], np.uint8)
        shape = (SIZE, SIZE)
        return {**info, 'img': image, 'img_shape': shape, 'ori_shape': shape,
                'height': SIZE, 'width': SIZE, 'instances': instances,
                'img_id': info['number'], 'img_path': ''}  # fmt: skip


LOAD = [
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {'type': 'mmcompose.LoadLabelWeights'},
]
LOAD_MASKS = [{**LOAD[0], 'with_mask': True}, LOAD[1]]
PACK = {'type': 'mmcompose.PackDetInputs', 'meta_keys': ()}


def _check(sample: Any) -> list[int]:
    """Check each box's weight and score by its label; return from which image each box is."""
    for instances in (sample.gt_instances, sample.ignored_instances):
        assert instances.weights.dtype == instances.scores.dtype == torch.float32
        labels = instances.labels.tolist()
        assert instances.weights.tolist() == [float(WEIGHT[label]) for label in labels]
        expected = [SCORE[label] for label in labels]
        np.testing.assert_allclose(instances.scores.numpy(), expected, atol=1e-5)
    # The fourth box of each image is an ignore box.
    assert (sample.gt_instances.labels % 4 != 3).all()
    assert (sample.ignored_instances.labels % 4 == 3).all()
    both = [*sample.gt_instances.labels.tolist(), *sample.ignored_instances.labels.tolist()]
    return [label // 4 for label in both]


ONE_IMAGE: dict[str, list[dict[str, Any]]] = {
    'nothing': [],
    'flip': [{'type': 'RandomFlip', 'prob': 1.0}],
    'resize': [{'type': 'RandomResize', 'scale': (50, 90), 'ratio_range': (0.5, 2.0)}],
    'crop': [{'type': 'RandomCrop', 'crop_size': (30, 30), 'allow_negative_crop': True}],
    'crop by IoU': [{'type': 'MinIoURandomCrop'}],
    'expand': [{'type': 'Expand', 'prob': 1.0}],
    'affine': [{'type': 'RandomAffine', 'scaling_ratio_range': (1.0, 2.0)}],
    'shift': [{'type': 'RandomShift', 'prob': 1.0, 'max_shift_px': 30}],
    'rotate': [{'type': 'Rotate', 'prob': 1.0, 'level': 8}],
    'erasing': [{'type': 'RandomErasing', 'n_patches': 3, 'ratio': 0.4}],
    'filter': [{'type': 'FilterAnnotations', 'min_gt_bbox_wh': (1, 1), 'keep_empty': False}],
    'choice': [{'type': 'RandomChoice', 'transforms': [[{'type': 'RandomFlip', 'prob': 1.0}]]}],
    'cached mosaic': [
        {'type': 'CachedMosaic', 'img_scale': (SIZE, SIZE), 'max_cached_images': 6,
         'random_pop': False},
    ],
    'cached mixup': [
        {'type': 'CachedMixUp', 'img_scale': (SIZE, SIZE), 'max_cached_images': 6,
         'random_pop': False, 'ratio_range': (0.8, 1.0)},
    ],
}  # fmt: skip


@pytest.mark.parametrize('name', ONE_IMAGE)
def test_weights_follow_their_boxes_through_transforms_of_one_image(name: str) -> None:
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = _Images(pipeline=[*LOAD, *copy.deepcopy(ONE_IMAGE[name]), PACK])
    origins = []
    for seed in range(3):
        np.random.seed(seed)
        origins += [_check(sample['data_samples']) for sample in dataset if sample is not None]
    assert len(origins) >= 20 and any(origins)
    assert any(len(set(each)) > 1 for each in origins) == name.startswith('cached')
    if name == 'crop':
        assert any(len(each) < 4 for each in origins), 'boxes were cut away'


MIXES: dict[str, list[dict[str, Any]]] = {
    'mosaic': [{'type': 'Mosaic', 'img_scale': (SIZE, SIZE)}],
    'mixup': [{'type': 'MixUp', 'img_scale': (SIZE, SIZE)}],
    'mosaic, affine and mixup': [
        {'type': 'Mosaic', 'img_scale': (SIZE, SIZE)},
        {'type': 'RandomAffine', 'border': (-SIZE // 2, -SIZE // 2)},
        {'type': 'MixUp', 'img_scale': (SIZE, SIZE)},
    ],
    'copy-paste': [{'type': 'CopyPaste', 'max_num_pasted': 6}],
}


@pytest.mark.parametrize('name', MIXES)
def test_weights_follow_their_boxes_through_transforms_of_several_images(name: str) -> None:
    load = LOAD_MASKS if name == 'copy-paste' else LOAD
    with DefaultScope.overwrite_default_scope('mmdet'):
        mixed = MultiImageMixDataset(_Images(pipeline=load), [*MIXES[name], PACK])
    origins = []
    for seed in range(3):
        np.random.seed(seed)
        torch.manual_seed(seed)
        origins += [_check(mixed[index]['data_samples']) for index in range(len(mixed))]
    assert any(len(set(each)) > 1 for each in origins), 'images were mixed'


class _WithoutSomeMasks(_Images):
    """The same, but the box to be ignored comes without its mask, as for a student of masks."""

    def get_data_info(self, idx: int) -> dict[str, Any]:
        info = super().get_data_info(idx)
        del info['instances'][3]['mask']
        return {**info, 'instances': instances_for_mask_student(info['instances'])}


BY_MASK: dict[str, list[dict[str, Any]]] = {
    'crop': [{**ONE_IMAGE['crop'][0], 'recompute_bbox': True}],
    'filter': [{'type': 'FilterAnnotations', 'min_gt_bbox_wh': (1, 1), 'by_mask': True}],
    'copy-paste': MIXES['copy-paste'],
}


@pytest.mark.parametrize('name', BY_MASK)
def test_an_ignored_box_without_a_mask_outlasts_transforms_that_take_boxes_from_masks(
    name: str,
) -> None:
    def ignored(kind: type[_Images], seed: int) -> list[list[float]]:
        np.random.seed(seed)
        torch.manual_seed(seed)
        with DefaultScope.overwrite_default_scope('mmdet'):
            mixed = MultiImageMixDataset(kind(pipeline=LOAD_MASKS), [*BY_MASK[name], PACK])
        samples = [mixed[index]['data_samples'] for index in range(len(mixed))]
        for sample in samples:
            _check(sample)
        return [box for each in samples for box in each.ignored_instances.bboxes.tensor.tolist()]

    for seed in range(3):
        # There each mask is the rectangle of its box.
        expected = ignored(_Images, seed)
        assert expected and ignored(_WithoutSomeMasks, seed) == expected


def test_what_has_no_weight_carries_none() -> None:
    with DefaultScope.overwrite_default_scope('mmdet'):
        pipeline = Compose([*LOAD, PACK])
    info = _Images(pipeline=[]).get_data_info(0)
    for instance in info['instances']:
        del instance['weight'], instance['score']
    sample = pipeline(info)['data_samples']
    assert len(sample.gt_instances) == 3
    assert not {'weights', 'scores'} & set(sample.gt_instances.keys())
    assert 'covered_classes' not in sample


def test_covered_classes_are_told_of_the_image() -> None:
    with DefaultScope.overwrite_default_scope('mmdet'):
        pipeline = Compose([*LOAD, {'type': 'RandomFlip', 'prob': 1.0}, PACK])
    info = _Images(pipeline=[]).get_data_info(0)
    sample = pipeline({**info, 'covered_classes': (0, 2)})['data_samples']
    assert sample.metainfo['covered_classes'] == (0, 2)


@pytest.mark.parametrize('weight', [-0.5, float('nan'), float('inf')])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    step = TRANSFORMS.build({'type': 'mmcompose.LoadLabelWeights'})
    results = {'gt_bboxes_labels': np.array([1]), 'instances': [{'weight': weight}]}
    with pytest.raises(UserError, match='is no weight of at least 0'):
        step(results)
