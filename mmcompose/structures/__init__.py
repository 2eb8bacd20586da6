"""What flows through the house: images and detections; pure numpy."""

from mmcompose.structures.boxes import areas, intersections, iou
from mmcompose.structures.detections import Detections
from mmcompose.structures.image import Image, read_bytes

__all__ = ['Detections', 'Image', 'areas', 'intersections', 'iou', 'read_bytes']
