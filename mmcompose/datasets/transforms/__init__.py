"""Transforms of images and labels that MMDetection lacks."""

from mmcompose.datasets.transforms.label_weights import (
    LoadLabelWeights,
    PackDetInputs,
    decode_labels,
    encode_labels,
)

__all__ = ['LoadLabelWeights', 'PackDetInputs', 'decode_labels', 'encode_labels']
