"""Transforms of images and labels that MMDetection lacks."""

from mmcompose.datasets.transforms.label_weights import LoadLabelWeights, PackDetInputs

__all__ = ['LoadLabelWeights', 'PackDetInputs']
