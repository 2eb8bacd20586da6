"""A run's model, and its config, without what is wrapped around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmdet.registry import MODELS
from mmengine.model import BaseAveragedModel, BaseTTAModel, is_model_wrapper

from mmcompose.registry import class_of


def unwrapped(model: Any) -> Any:
    """Return the model inside DistributedDataParallel, its kin, an average of weights, and TTA."""
    while is_model_wrapper(model) or isinstance(model, (BaseAveragedModel, BaseTTAModel)):
        model = model.module
    return model


def unwrapped_config(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the config of the model inside the one that ``test --tta`` puts around it."""
    cls = class_of(model, MODELS)
    if isinstance(cls, type) and issubclass(cls, BaseTTAModel):
        return unwrapped_config(model['module'])
    return model
