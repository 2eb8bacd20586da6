"""Models that MMDetection lacks, as ordinary modules of it."""

from mmcompose.models.bifpn import BiFPN
from mmcompose.models.efficientdet_head import EfficientDetAnchorGenerator, EfficientDetHead
from mmcompose.models.efficientnet_lite import EfficientNetLite0
from mmcompose.models.picture_features import PictureFeatures

__all__ = [
    'BiFPN',
    'EfficientDetAnchorGenerator',
    'EfficientDetHead',
    'EfficientNetLite0',
    'PictureFeatures',
]
