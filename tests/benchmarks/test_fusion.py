"""Equality to ensemble-boxes on what real detectors say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from benchmarks.fusion import compare, distinct, measure
from mmcompose.class_space import ClassSpace
from mmcompose.labeling import ImageContext, LabelInput
from mmcompose.labeling.compute.weighted_boxes_kernel import CONF_TYPES
from mmcompose.structures import Detections
from mmcompose.teachers import MMDetTeacher
from mmcompose.teachers.mmdet.model import build_model
from tests import toys
from tests.labeling.toys import found, scene
from tests.teachers.conftest import CLASSES, CONFIG


def untrained(seed: int, folder: Path) -> MMDetTeacher:
    """Return a RetinaNet of 8 channels with random weights, which sees things everywhere."""
    config, checkpoint = folder / f'{seed}.py', folder / f'{seed}.pth'
    config.write_text(CONFIG.replace('score_thr=0.3', 'score_thr=0.01'))
    torch.manual_seed(seed)
    model = build_model(Config.fromfile(config))
    torch.nn.init.normal_(model.bbox_head.retina_cls.weight, std=0.3)
    torch.nn.init.normal_(model.bbox_head.retina_reg.weight, std=0.03)
    meta = {'dataset_meta': {'classes': CLASSES}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, checkpoint)
    return MMDetTeacher(config=str(config), checkpoint=str(checkpoint), device='cpu')


@pytest.fixture(scope='module')
def predicted(
    pool: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[LabelInput], ClassSpace]:
    folder = tmp_path_factory.mktemp('detectors')
    teachers = {f't{seed}': untrained(seed, folder) for seed in range(3)}
    images = toys.images_in(pool)
    said = {name: teacher.predict(images) for name, teacher in teachers.items()}
    space = ClassSpace({name: teacher.classes for name, teacher in teachers.items()})
    pool = [
        (
            {name: found[row] for name, found in said.items()},
            ImageContext(image.key, image.width, image.height),
        )
        for row, image in enumerate(images)
    ]
    return pool, space


def test_fused_predictions_of_detectors_equal_those_of_the_package(
    predicted: tuple[list[LabelInput], ClassSpace],
) -> None:
    compared = compare(*predicted)
    assert compared['images'] == len(predicted[0])
    # Enough of them lie on one another, or there was nothing to fuse.
    assert compared['boxes'] > 300
    assert set(compared['largest_difference']) == set(CONF_TYPES)
    assert max(compared['largest_difference'].values()) < 1e-6


def test_tied_scores_are_left_out_and_nothing_else() -> None:
    said = {
        'a': found(([0, 0, 9, 9], 0.5, 0), ([0, 0, 8, 9], 0.5, 1), ([300, 0, 310, 9], 0.4, 1)),
        'b': found(([0, 0, 9, 9], 0.5, 0), ([0, 0, 9, 5], 0.3, 0)),
        'c': Detections(),
    }
    kept = distinct(said, scene().image)
    assert [part.scores.tolist() for part in kept.values()] == [
        [0.5],
        [np.float32(0.3)],
        [],
    ]


def test_the_fusion_is_compiled() -> None:
    """The package is a Python loop; the bars are in the benchmark, this is far below them."""
    figures = measure(4, 100, 20, rounds=1)
    assert figures['kernel_speedup'] > 20
    assert figures['transform_speedup'] > 10
    assert figures['largest_difference'] < 1e-6
