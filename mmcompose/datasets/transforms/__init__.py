"""Transforms of images and labels that MMDetection lacks."""

from mmcompose.datasets.transforms.label_weights import LoadWeights, PackDetInputs

__all__ = ['LoadWeights', 'PackDetInputs']
