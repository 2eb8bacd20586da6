"""Weighted targets: what is known of each label reaches the loss of MMDet's own heads."""

from mmcompose.models.weighted_targets.attach import Attachment, attach
from mmcompose.models.weighted_targets.supported_heads import not_reached, unreached_heads
from mmcompose.models.weighted_targets.targets import Settings, is_uncertain

__all__ = [
    'Attachment',
    'Settings',
    'attach',
    'is_uncertain',
    'not_reached',
    'unreached_heads',
]
