"""Models that MMDetection lacks, as ordinary modules of it."""

from mmcompose.models.bifpn import BiFPN
from mmcompose.models.efficientdet_head import EfficientDetAnchorGenerator, EfficientDetHead
from mmcompose.models.efficientnet_lite import EfficientNetLite0

__all__ = ['BiFPN', 'EfficientDetAnchorGenerator', 'EfficientDetHead', 'EfficientNetLite0']
