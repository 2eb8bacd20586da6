"""What a detector of MMDetection predicts on a picture: boxes, and masks where it makes any."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from mmdet.structures.bbox import get_box_tensor
from mmdet.structures.mask import mask2bbox

from mmcompose.structures import Detections, Image, Masks, as_masks
from mmcompose.utils import UserError, fault, problem
from mmcompose.utils.config_tree import walk

# Speak of masks where no head makes any.
_ELSEWHERE = ('data_preprocessor', 'train_cfg', 'test_cfg')


def may_give_masks(model: Mapping[str, Any]) -> bool:
    """Return whether a model's config names masks: no box detector's does."""
    here = {name: model[name] for name in model if name not in _ELSEWHERE}
    return any(
        item is not None and ('mask' in str(name).lower() or _names_masks(item))
        for _, part in walk(here)
        for name, item in part.items()
    )


def has_mask_head(model: Mapping[str, Any]) -> bool:
    """Return whether a model's config has a mask head, as Mask R-CNN and its kin."""
    return any(part.get('mask_head') for _, part in walk(model))


def detections_of(
    samples: Sequence[Any], images: Sequence[Image], with_masks: bool
) -> list[Detections]:
    """Take what was found out of the MMDet data samples of a batch.

    Args:
        samples: Each a ``DetDataSample`` with ``pred_instances``.
        images: The image of each, for the size of its masks.
        with_masks: Take the masks too, where there are any.

    Raises:
        UserError: If one holds no boxes of four numbers, or masks of another size than the image.
    """
    found = [_instances_of(sample) for sample in samples]
    boxes = [_boxes_of(each) for each in found]
    scores = [each.scores.reshape(-1, 1) for each in found]
    labels = [each.labels.reshape(-1, 1) for each in found]
    columns = [torch.cat(each).detach().float() for each in (boxes, scores, labels)]
    # One copy for the whole batch: each makes Python wait for the GPU.
    rows = torch.cat(columns, dim=1).cpu().numpy()
    every = Detections.from_arrays(rows[:, :4], rows[:, 4], rows[:, 5])
    stops = np.cumsum([len(each) for each in boxes]).tolist()
    detections = [every[start:stop] for start, stop in zip([0, *stops[:-1]], stops, strict=True)]
    if not with_masks:
        return detections
    return [
        replace(one, masks=_masks_of(each, image)) if 'masks' in each else one
        for one, each, image in zip(detections, found, images, strict=True)
    ]


def _instances_of(sample: Any) -> Any:
    if 'pred_instances' not in sample:
        made = ', '.join(name for name in sorted(sample.keys()) if name.startswith('pred_'))
        raise UserError(fault('config', f'its detector makes no boxes, but {made or "nothing"}'))
    return sample.pred_instances


def _boxes_of(found: Any) -> torch.Tensor:
    boxes: torch.Tensor = get_box_tensor(found.bboxes)
    if boxes.size(-1) != 4:
        raise UserError(
            fault('config', f'its detector makes boxes of {boxes.size(-1)} numbers, not of 4')
        )
    # SOLO locates an object by its mask alone.
    if len(boxes) and 'masks' in found and not boxes.any():
        boxes = mask2bbox(torch.as_tensor(found.masks)).to(boxes)
    return boxes


def lacks_operator(error: RuntimeError) -> UserError | None:
    """Return the error where MMCV's operator does not run on the device, else None."""
    named = re.match(
        r'(\w+?)(?:_forward)?_impl: implementation for device (\w+) not found', str(error)
    )
    if named is None:
        return None
    return UserError(
        problem(
            'device', named[2], f'cannot run this model: MMCV has no {named[1]} for it; name a GPU'
        )
    )


def _masks_of(found: Any, image: Image) -> Masks:
    masks = torch.as_tensor(found.masks).detach().cpu().numpy().astype(bool)
    try:
        return as_masks(masks, image.width, image.height)
    except ValueError as error:
        raise UserError(
            fault('config', f'of {image.path}, the model predicts what is no mask: {error}')
        ) from (error)


def _names_masks(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_names_masks, value))
    name = value.__name__ if isinstance(value, type) else value
    return isinstance(name, str) and 'mask' in name.lower()
