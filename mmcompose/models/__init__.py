"""Models that MMDetection lacks, as ordinary modules of it."""

from mmcompose.models.efficientnet_lite import EfficientNetLite0

__all__ = ['EfficientNetLite0']
