"""A run's model without what is wrapped around it."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseAveragedModel, is_model_wrapper


def unwrapped(model: Any) -> Any:
    """Return the model inside DistributedDataParallel, its kin, and an average of weights."""
    while is_model_wrapper(model) or isinstance(model, BaseAveragedModel):
        model = model.module
    return model
