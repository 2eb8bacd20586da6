"""From an MMDetection config to a test pipeline that takes decoded pictures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmcv.transforms import Compose
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config, ConfigDict

from mmcompose.registry import type_name
from mmcompose.teachers.mmdet.config import scope_of
from mmcompose.utils import UserError, fault

_COLORS = ('color', 'color_ignore_orientation')


def make_pipeline(config: Config, tta: bool = False) -> Compose:
    """Build the test pipeline of a config, to be fed ``{'img': pixels, ...}``.

    Args:
        config: A whole config, read.
        tta: Take the pipeline of test-time augmentation instead. Defaults to False.

    Raises:
        UserError: If the pipeline needs more than one picture.
    """
    with scope_of(config):
        return Compose(pipeline_steps(test_steps(config, tta)))


def pipeline_steps(steps: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a test pipeline's steps without annotations, its loader replaced.

    The loader keeps its arguments: ``to_float32`` decides how the steps after it round.
    """
    kept = _without_annotations(steps)
    if not kept or type_name(kept[0]) != 'LoadImageFromFile':
        first = type_name(kept[0]) if kept else 'nothing'
        raise UserError(
            fault(
                'config',
                f'its test pipeline begins with {first}, not with LoadImageFromFile; '
                f'only detectors of single pictures can teach',
            )
        )
    color = kept[0].get('color_type', 'color')
    if color not in _COLORS:
        raise UserError(fault('config', f'its test pipeline reads {color!r} pictures, not color'))
    if any(type_name(step) == 'LoadProposals' for step in kept):
        raise UserError(fault('config', 'its detector needs proposals made by another one'))
    return [{**kept[0], 'type': 'mmdet.LoadImageFromNDArray'}, *kept[1:]]


def shapes_of(inputs: Any, divisor: int = 1) -> tuple[tuple[int, ...], ...]:
    """Return the shape of a picture, or of each of its augmented views.

    Args:
        inputs: One or more ``(3, H, W)`` tensors.
        divisor: Of which the model pads height and width to multiples. Pictures that are equal
            then are padded in a batch as they are alone. Defaults to 1.
    """
    views = inputs if isinstance(inputs, list) else [inputs]
    return tuple(
        (*view.shape[:-2], *(-(-side // divisor) * divisor for side in view.shape[-2:]))
        for view in views
    )


def test_steps(config: Config, tta: bool = False) -> Sequence[Mapping[str, Any]]:
    """Return the steps by which a config's model is tested on a picture.

    Those of ``test_dataloader``, else of ``val_dataloader``, else ``test_pipeline``: a student that
    was never scored has no data loader but that of its training.

    Args:
        config: A whole config, read.
        tta: Return those of test-time augmentation instead. Defaults to False.

    Raises:
        UserError: If it has none.
    """
    loader = config.get('test_dataloader') or config.get('val_dataloader')
    steps: Sequence[Mapping[str, Any]] | None = None
    if tta or not loader:
        steps = config.get('tta_pipeline' if tta else 'test_pipeline')
    else:
        with contextlib.suppress(AttributeError, RuntimeError):
            steps = get_test_pipeline_cfg(ConfigDict(test_dataloader=loader))
    if steps is None:
        expected = 'has no test pipeline; test_dataloader, val_dataloader or test_pipeline sets one'
        raise UserError(fault('config', expected))
    return steps


def _without_annotations(steps: Iterable[Any]) -> list[Any]:
    kept: list[Any] = []
    for step in steps:
        # TestTimeAug holds a list of alternatives in each place.
        if isinstance(step, (list, tuple)):
            alternatives = _without_annotations(step)
            kept += [alternatives] if alternatives else []
        elif not _reads_annotations(type_name(step)):
            inner = step.get('transforms')
            changed = {} if inner is None else {'transforms': _without_annotations(inner)}
            kept.append({**step, **changed})
    return kept


def _reads_annotations(name: str) -> bool:
    return name.startswith('Load') and name.endswith('Annotations')
