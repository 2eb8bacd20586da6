"""What masks a detector of MMDetection gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from mmcompose.structures import Image, Masks, as_masks
from mmcompose.utils import UserError

# Speak of masks where no head makes any.
_ELSEWHERE = ('data_preprocessor', 'train_cfg', 'test_cfg')


def may_give_masks(model: Mapping[str, Any]) -> bool:
    """Return whether a model's config speaks of masks: no box detector's does."""
    return _speaks_of_masks({name: model[name] for name in model if name not in _ELSEWHERE})


def has_mask_head(model: Any) -> bool:
    """Return whether a model's config has a mask head, as Mask R-CNN and its kin."""
    if isinstance(model, Mapping):
        return bool(model.get('mask_head')) or any(map(has_mask_head, model.values()))
    return isinstance(model, (list, tuple)) and any(map(has_mask_head, model))


def masks_of(found: Any, image: Image) -> Masks:
    """Return the masks of an MMDet ``InstanceData``, over the original image.

    Args:
        found: Has ``masks``, ``(N, H, W)``.
        image: The image.

    Raises:
        UserError: If they are of another size.
    """
    masks = torch.as_tensor(found.masks).detach().cpu().numpy().astype(bool)
    try:
        return as_masks(masks, image.width, image.height)
    except ValueError as error:
        raise UserError(f'config: of {image.path}, the model says what is no mask: {error}') from (
            error
        )


def _speaks_of_masks(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(
            item is not None and ('mask' in str(name).lower() or _speaks_of_masks(item))
            for name, item in value.items()
        )
    if isinstance(value, (list, tuple)):
        return any(map(_speaks_of_masks, value))
    name = value.__name__ if isinstance(value, type) else value
    return isinstance(name, str) and 'mask' in name.lower()
