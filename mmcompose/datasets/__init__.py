"""Dataset wrappers that plug the pool, pseudo-labels and the class space into MMDetection."""

from mmcompose.datasets.class_space_dataset import ClassSpaceDataset, annotation_path
from mmcompose.datasets.dataset_class import dataset_class
from mmcompose.datasets.image_folders import find_images
from mmcompose.datasets.image_lists import images_of, join_pools
from mmcompose.datasets.labeled_rows import labeled_rows
from mmcompose.datasets.mixed import MixedDataset, MixedSampler, resolve_mixed_loader
from mmcompose.datasets.pseudo_labeled import PseudoLabeledDataset, pseudo_labeled
from mmcompose.datasets.relabeled import RelabeledDataset
from mmcompose.datasets.splits import SplitFile, nested_splits, split_coco
from mmcompose.datasets.truth import truth_of
from mmcompose.datasets.unlabeled_images import UnlabeledImages
from mmcompose.datasets.wrapping import (
    INNER_DATASETS,
    change_sources,
    common_pipeline,
    each_dataset,
    inner_datasets,
    is_wrapper,
    move_pipeline_up,
    pipelines,
    wrapped,
)

__all__ = [
    'INNER_DATASETS',
    'ClassSpaceDataset',
    'MixedDataset',
    'MixedSampler',
    'PseudoLabeledDataset',
    'RelabeledDataset',
    'SplitFile',
    'UnlabeledImages',
    'annotation_path',
    'change_sources',
    'common_pipeline',
    'dataset_class',
    'each_dataset',
    'find_images',
    'images_of',
    'inner_datasets',
    'is_wrapper',
    'join_pools',
    'labeled_rows',
    'move_pipeline_up',
    'nested_splits',
    'pipelines',
    'pseudo_labeled',
    'resolve_mixed_loader',
    'split_coco',
    'truth_of',
    'wrapped',
]
