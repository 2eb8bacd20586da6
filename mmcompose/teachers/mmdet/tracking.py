"""The detector inside a model that tracks objects through videos: it can teach by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from mmcompose.teachers.mmdet.pipeline import test_steps

_PREFIX = 'detector.'
# Arguments of a tracker's data preprocessor that a detector's does not know.
_OF_VIDEOS = ('use_det_processor', 'batch_augments')


def is_tracker(config: Config) -> bool:
    """Whether a config's model tracks what a detector of its own finds."""
    return {'detector', 'tracker'} <= set(config.model)


def detector_of(config: Config) -> Config:
    """Return a config of the detector alone where the model is a tracker, else the same config.

    MMDet's trackers (SORT, ByteTrack, QDTrack, MaskTrack R-CNN, …) hold an ordinary detector
    under ``model.detector``, and their pipelines apply ordinary steps to each frame.

    Args:
        config: A whole config, read.

    Raises:
        UserError: If a tracker's has no test pipeline.
    """
    if not is_tracker(config):
        return config
    outer = config.model.get('data_preprocessor') or {}
    preprocessor = {name: value for name, value in outer.items() if name not in _OF_VIDEOS}
    changed: dict[str, Any] = {
        'model': {
            **config.model.detector,
            'data_preprocessor': {**preprocessor, 'type': 'DetDataPreprocessor'},
        },
        'test_dataloader': {'dataset': {'pipeline': _of_one_frame(config)}},
    }
    return Config({**config.to_dict(), **Config(changed).to_dict()})


def without_tracker(weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the weights of the detector alone out of those of a tracker."""
    found = {
        name.removeprefix(_PREFIX): tensor
        for name, tensor in weights.items()
        if name.startswith(_PREFIX)
    }
    # A detector that was trained alone, before it became part of a tracker, has no such prefix.
    return found or weights


def _of_one_frame(config: Config) -> list[Any]:
    steps: list[Any] = []
    for step in test_steps(config):
        # Broadcast to each frame of a video.
        steps += step.get('transforms', [step])
    return [{'type': 'PackDetInputs'} if s['type'] == 'PackTrackInputs' else s for s in steps]
