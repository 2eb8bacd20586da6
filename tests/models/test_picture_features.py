"""PictureFeatures: cells of pictures and what they look like, alone or several at once."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmcompose.models import EfficientNetLite0, PictureFeatures
from mmcompose.structures import Image

# Width and height. Three have one shape once they are resized, and one has another.
SIZES = [(160, 120), (160, 120), (320, 240), (100, 160)]


@pytest.fixture
def images(tmp_path: Path) -> list[Image]:
    random = np.random.default_rng(0)
    found = []
    for number, (width, height) in enumerate(SIZES):
        path = str(tmp_path / f'{number}.png')
        coarse = random.integers(0, 256, (5, 5, 3), np.uint8)
        cv2.imwrite(path, cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
        found.append(Image(str(number), path, width, height))
    return found


@pytest.fixture(scope='module')
def looks() -> PictureFeatures:
    return PictureFeatures(long_side=160, device='cpu')


def test_cells_divide_a_picture_into_squares(looks: PictureFeatures, images: list[Image]) -> None:
    found = looks.predict(images)
    # 160 x 120 is padded to 160 x 128: five by four cells of 32 pixels, of 64 in one of twice that.
    assert [len(each) for each in found] == [20, 20, 20, 20]
    assert found[0].boxes[:2].tolist() == [[0, 0, 32, 32], [32, 0, 64, 32]]
    assert found[2].boxes[6].tolist() == [64, 64, 128, 128]
    # The upright one is as wide as 100 pixels, which are padded to four cells.
    assert found[3].boxes[4].tolist() == [0, 32, 32, 64]


def test_what_shares_a_batch_does_not_matter(looks: PictureFeatures, images: list[Image]) -> None:
    together = looks.predict(images)
    for each, image in zip(together, images, strict=True):
        (alone,) = looks.predict([image])
        assert np.array_equal(each.boxes, alone.boxes)
        np.testing.assert_allclose(each.features, alone.features, atol=5e-4)
    assert np.abs(together[0].features - together[1].features).max() > 0.05


@torch.no_grad()
def test_features_are_those_of_the_network_as_it_is(
    looks: PictureFeatures, images: list[Image]
) -> None:
    plain = EfficientNetLite0(out_indices=(4, 5))
    plain.init_weights()
    plain.eval()
    pixels, _ = looks.prepare(images[0])
    inputs = (torch.from_numpy(pixels).permute(2, 0, 1)[None].float() - 127) / 128
    fine, coarse = plain(inputs)
    parts = [torch.nn.functional.avg_pool2d(fine, 2), coarse]
    expected = torch.cat([part / part.norm(dim=1, keepdim=True) for part in parts], dim=1)
    (found,) = looks.predict(images[:1])
    assert found.features.dtype == np.float16
    np.testing.assert_allclose(found.features, expected[0].flatten(1).T.numpy(), atol=1e-3)
