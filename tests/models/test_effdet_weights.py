"""effdet's checkpoints in our EfficientDet: the same raw outputs and the same boxes."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor, nn

import mmcompose.models  # noqa: F401
from mmcompose.models.effdet_weights import convert_effdet, convert_weights
from mmcompose.teachers import MMDetTeacher, named_classes
from mmcompose.utils import UserError
from tests.tools.running import run_here

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/efficientdet/efficientdet_d0_8xb16-300e_coco.py'
SIZE = 128
COCO_IDS = [*range(1, 12), *range(13, 26), 27, 28, *range(31, 45), *range(46, 66), 67, 70,
            *range(72, 83), *range(84, 91)]  # fmt: skip


def _ours(num_classes: int, config: Config | None = None) -> nn.Module:
    model = (config or Config.fromfile(CONFIG)).model
    model.backbone.init_cfg = None
    model.bbox_head.num_classes = num_classes
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(model).eval()


def _theirs(num_classes: int, name: str = 'tf_efficientdet_d0', **changes: Any) -> Any:
    """effdet's model with random weights and statistics, so that none of them can be missed."""
    import effdet

    torch.manual_seed(0)
    config = effdet.get_efficientdet_config(name)
    config.update(num_classes=num_classes, image_size=(SIZE, SIZE), **changes)
    model = effdet.EfficientDet(config, pretrained_backbone=False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.8, 1.2)
        elif isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.normal_(module.bias, std=0.1)
    for name, weight in model.named_parameters():
        if name.endswith('edge_weights'):
            nn.init.uniform_(weight, -0.2, 1)
    return model.eval()


def _images() -> Tensor:
    return torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def _raw(model: nn.Module, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    return model.bbox_head(model.neck(model.backbone(images)))


def _as_ours(deltas: Tensor) -> Tensor:
    """Bring effdet's y, x, height, width of each anchor into MMDetection's order."""
    count, _, height, width = deltas.shape
    return deltas.view(count, -1, 4, height, width)[:, :, [1, 0, 3, 2]].view_as(deltas)


def _coco_rows(scores: Tensor) -> Tensor:
    """Leave the rows of 90 that have a name."""
    by_anchor = scores.unflatten(1, (-1, 90))[:, :, torch.tensor(COCO_IDS) - 1]
    return by_anchor.flatten(1, 2)


def _assert_equal(own: list[Tensor], other: list[Tensor]) -> None:
    assert len(own) == len(other) == 5
    for mine, theirs in zip(own, other, strict=True):
        # Outputs that differ from place to place, or their equality would mean little.
        assert theirs.std() > 1e-2
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=0)


@torch.no_grad()
@pytest.mark.usefixtures('reference')
@pytest.mark.parametrize('num_classes', [90, 20])
def test_the_same_weights_give_the_same_raw_outputs(num_classes: int) -> None:
    theirs = _theirs(num_classes)
    ours = _ours(num_classes)
    names = [f'class {i}' for i in range(num_classes)]
    ours.load_state_dict(convert_weights(theirs.state_dict(), ours, names))
    scores, deltas = _raw(ours, _images())
    their_scores, their_deltas = theirs(_images())
    _assert_equal(scores, their_scores)
    _assert_equal(deltas, [_as_ours(level) for level in their_deltas])
    if num_classes == 90:
        ours = _ours(80)
        ours.load_state_dict(convert_weights(theirs.state_dict(), ours, named_classes('coco')))
        _assert_equal(_raw(ours, _images())[0], [_coco_rows(level) for level in their_scores])


@torch.no_grad()
@pytest.mark.usefixtures('reference')
def test_other_depths_and_widths_and_plain_sums_convert_too() -> None:
    config = Config.fromfile(CONFIG.with_name('efficientdet_d1_8xb16-300e_coco.py'))
    config.model.neck.weighted = False
    ours = _ours(3, config)
    theirs = _theirs(3, 'tf_efficientdet_d1', fpn_name='bifpn_sum')
    ours.load_state_dict(convert_weights(theirs.state_dict(), ours, 'abc'))
    _assert_equal(_raw(ours, _images())[0], theirs(_images())[0])


@torch.no_grad()
@pytest.mark.usefixtures('reference')
def test_boxes_are_decoded_alike() -> None:
    from effdet.anchors import Anchors, decode_box_outputs

    theirs = _theirs(2)
    ours = _ours(2)
    ours.load_state_dict(convert_weights(theirs.state_dict(), ours, 'ab'))
    _, deltas = _raw(ours, _images())
    head = ours.bbox_head
    priors = head.prior_generator.grid_priors([level.shape[-2:] for level in deltas], device='cpu')
    own = torch.cat(
        [
            head.bbox_coder.decode(anchors, level[0].permute(1, 2, 0).reshape(-1, 4))
            for anchors, level in zip(priors, deltas, strict=True)
        ]
    )
    their_deltas = theirs(_images())[1]
    flat = torch.cat([level[0].permute(1, 2, 0).reshape(-1, 4) for level in their_deltas])
    other = decode_box_outputs(flat, Anchors.from_config(theirs.config).boxes, output_xyxy=True)
    torch.testing.assert_close(own, other, atol=1e-3, rtol=1e-5)


@pytest.fixture
def checkpoint(reference: None, tmp_path: Path) -> Path:
    """A file as effdet's training script writes it: a bench's names, and a moving average."""
    theirs = _theirs(20)
    weights = {f'model.{name}': weight for name, weight in theirs.state_dict().items()}
    weights['anchors.boxes'] = torch.zeros(5, 4)
    average = {name: weight * 0.5 for name, weight in weights.items()}
    path = tmp_path / 'effdet.pth'
    content = {'epoch': 3, 'state_dict': weights, 'state_dict_ema': average}
    # timm's CheckpointSaver keeps the command line, too.
    torch.save({**content, 'args': Namespace(model='tf_efficientdet_d0', lr=0.01)}, path)
    return path


def test_the_tool_writes_a_checkpoint_that_a_teacher_takes(
    checkpoint: Path, tmp_path: Path
) -> None:
    config = CONFIG.with_name('efficientdet_d0_8xb16-300e_voc.py')
    out = tmp_path / 'voc.pth'
    arguments = (checkpoint, out, '--config', config, '--classes', 'voc')
    done = run_here('tools/convert_effdet.py', *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    teacher = MMDetTeacher(config=str(config), checkpoint=str(out), device='cpu')
    assert teacher.classes == named_classes('voc')
    with pytest.raises(UserError, match='classes: 80 names, but the checkpoint has 20 classes'):
        convert_effdet(checkpoint, str(config), 'coco')


def test_the_moving_average_is_taken_when_asked_for(checkpoint: Path, tmp_path: Path) -> None:
    config = str(CONFIG.with_name('efficientdet_d0_8xb16-300e_voc.py'))
    plain = convert_effdet(checkpoint, config, 'voc')['state_dict']
    average = convert_effdet(checkpoint, config, 'voc', ema=True)['state_dict']
    name = 'neck.cells.0.nodes.0.weights'
    torch.testing.assert_close(average[name], plain[name] * 0.5)
    torch.save({'state_dict': torch.load(checkpoint, weights_only=False)['state_dict']}, checkpoint)
    with pytest.raises(UserError, match='keeps no moving average'):
        convert_effdet(checkpoint, config, 'voc', ema=True)


def test_a_config_of_another_detector_is_refused(tmp_path: Path) -> None:
    retinanet = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'
    with pytest.raises(UserError, match='is of no EfficientDet; take one of configs/efficientdet'):
        convert_effdet(tmp_path / 'effdet.pth', retinanet)
    (tmp_path / 'empty.py').write_text('a = 1')
    with pytest.raises(UserError, match=r'model: is missing from .*empty\.py'):
        convert_effdet(tmp_path / 'effdet.pth', str(tmp_path / 'empty.py'))


def test_weights_of_another_model_are_refused(checkpoint: Path) -> None:
    weights = torch.load(checkpoint, weights_only=False)['state_dict']
    with pytest.raises(UserError, match='checkpoint: is of another model than the config'):
        deeper = Config.fromfile(CONFIG)
        deeper.model.neck.num_cells = 4
        convert_weights(weights, _ours(20, deeper), named_classes('voc'))
    with pytest.raises(UserError, match='where the config makes it'):
        convert_weights(weights, _ours(21), named_classes('voc'))
