"""What flows through the house: images and detections; pure numpy."""

from mmcompose.structures.boxes import areas, covered_shares, intersections, iou
from mmcompose.structures.detections import Detections
from mmcompose.structures.header_size import check_listed_size, image_size
from mmcompose.structures.image import REDUCTIONS, Image, filesystem_of, read_bytes
from mmcompose.structures.masks import (
    Masks,
    as_masks,
    decode_masks,
    encode_masks,
    mask_area,
    mask_box,
    no_masks,
    to_rle,
)

__all__ = [
    'REDUCTIONS',
    'Detections',
    'Image',
    'Masks',
    'areas',
    'as_masks',
    'check_listed_size',
    'covered_shares',
    'decode_masks',
    'encode_masks',
    'filesystem_of',
    'image_size',
    'intersections',
    'iou',
    'mask_area',
    'mask_box',
    'no_masks',
    'read_bytes',
    'to_rle',
]
