"""RelabeledDataset: another dataset's images, with labels that are not its own."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmdet.datasets import BaseDetDataset
from mmdet.registry import DATASETS as MMDET_DATASETS
from mmengine.dataset import BaseDataset
from numpy.typing import NDArray

from mmcompose.datasets.subset_rows import subset_rows
from mmcompose.datasets.wrapping import common_pipeline


class RelabeledDataset(BaseDetDataset, ABC):
    """Wrap a dataset and replace its instances before any transform sees them.

    The wrapper is itself a dataset of MMDet, so that samplers, mosaic and mixup (through
    ``MultiImageMixDataset`` around it) find all that they need.

    Args:
        dataset: The dataset to wrap, or its config. Its pipeline moves to the wrapper.
        metainfo: The wrapper's own; its ``classes`` are the student's.
        pipeline: Transforms. Defaults to those of ``dataset``, or of all parts that it holds.
        test_mode: Defaults to that of ``dataset``.
        max_refetch: How often another image is tried where a transform gives none.
        img_ids: The first ``img_id`` and the step to the next, in place of the ids of ``dataset``;
            ``resolve`` writes it where several datasets are scored as one, since their files may
            number their images alike. Defaults to none.
        lazy_init: Has no effect: the data are loaded by ``full_init``, which MMEngine's Runner
            calls, or at the first look at an image.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any] | BaseDataset,
        metainfo: Mapping[str, Any],
        pipeline: Sequence[Any] | None = None,
        test_mode: bool | None = None,
        max_refetch: int = 1000,
        img_ids: tuple[int, int] | None = None,
        lazy_init: bool = True,
    ) -> None:
        del lazy_init  # A constructor that made labels would make them for a mere look at metainfo.
        if not isinstance(dataset, BaseDataset):
            config = dict(dataset)
            if pipeline is None:
                pipeline = common_pipeline(f'{type(self).__name__}.dataset', config)
            config.pop('pipeline', None)
            dataset = MMDET_DATASETS.build(self.prepare_config(config) | {'lazy_init': True})
        self.dataset: BaseDataset = dataset
        # Wrappers, such as ConcatDataset, have none of these.
        inner_mode = getattr(self.dataset, 'test_mode', False)
        super().__init__(
            # MMDet's ConcatDataset takes a list and a tuple for two sets of classes.
            metainfo={**metainfo, 'classes': tuple(metainfo['classes'])},
            pipeline=pipeline or [],
            test_mode=inner_mode if test_mode is None else test_mode,
            max_refetch=max_refetch,
            lazy_init=True,
        )
        # How much each instance counts; MixedDataset sets it.
        self.weight = 1.0
        self.img_ids = img_ids
        # The image of `dataset` at each index; None for all.
        self._indices: NDArray[np.int64] | None = None
        self.data_root = getattr(self.dataset, 'data_root', '')
        self.data_prefix = getattr(self.dataset, 'data_prefix', {})

    def prepare_config(self, config: dict[str, Any]) -> dict[str, Any]:
        """Change the wrapped dataset's config before it is built."""
        return config

    @abstractmethod
    def relabel(self, index: int, info: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the instances of an image.

        Args:
            index: Of the image in this dataset.
            info: What the wrapped dataset returns of it, its own ``instances`` included.
        """

    def full_init(self) -> None:
        """Load the wrapped dataset."""
        self.dataset.full_init()
        self._fully_initialized = True

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return the wrapped dataset's image with the instances of :meth:`relabel`."""
        # Not the number that the wrapped dataset gives: a ConcatDataset's parts each begin at 0.
        # Past the end is an IndexError, by which a plain loop over the dataset ends.
        index = range(len(self))[idx]
        info: dict[str, Any] = self.dataset.get_data_info(self._place(index))
        self._number_image(info, index)
        info['instances'] = self._weighted(self.relabel(index, info))
        return info

    def _number_image(self, info: dict[str, Any], index: int) -> None:
        info['sample_idx'] = index
        if self.img_ids is not None:
            first, step = self.img_ids
            info['img_id'] = first + step * index

    def _weighted(self, instances: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.weight == 1:
            return instances
        return [{**each, 'weight': self.weight * each.get('weight', 1.0)} for each in instances]

    def __len__(self) -> int:
        self.full_init()
        return len(self.dataset) if self._indices is None else len(self._indices)

    def _place(self, index: int) -> int:
        """Return the index of an image in the wrapped dataset."""
        return index if self._indices is None else int(self._indices[index])

    def _take(self, rows: NDArray[np.int64]) -> None:
        """Keep images alone, by their indices."""
        every = np.arange(len(self.dataset)) if self._indices is None else self._indices
        self._indices = every[rows]

    def get_subset_(self, indices: Sequence[int] | int) -> None:
        """See :meth:`mmengine.dataset.BaseDataset.get_subset_`."""
        self._take(subset_rows(indices, len(self), f'{type(self).__name__}.indices'))

    def get_subset(self, indices: Sequence[int] | int) -> RelabeledDataset:
        """See :meth:`mmengine.dataset.BaseDataset.get_subset`."""
        self.full_init()
        subset = copy.copy(self)
        # Some transforms keep pictures.
        subset.pipeline = copy.deepcopy(self.pipeline)
        subset.get_subset_(indices)
        return subset
