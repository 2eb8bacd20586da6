"""PseudoLabeledDataset: images with the labels that the teachers agree on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from mmengine.dist import barrier
from numpy.typing import NDArray

from mmcompose.composition import Composition
from mmcompose.datasets.image_lists import images_of
from mmcompose.datasets.mask_labels import for_mask_student, reads_masks, segmentation
from mmcompose.datasets.relabeled import RelabeledDataset
from mmcompose.registry import DATASETS
from mmcompose.store import DetectionTable
from mmcompose.structures import Detections, Image
from mmcompose.utils import UserError


@DATASETS.register_module()
class PseudoLabeledDataset(RelabeledDataset):
    """Any dataset's images, with pseudo-labels in place of its own labels.

    Makes sure of the labels when it is first used, never when it is built. Every image stays
    in, also one without a label: it is a negative, and lengths never depend on labels.

    Args:
        dataset: :class:`UnlabeledImages`, or any MMDet dataset: its labels are not read.
        composition: The config's ``composition``; ``resolve`` writes it here.
        **kwargs: Of :class:`RelabeledDataset`.

    Raises:
        UserError: If ``composition`` is missing, which means that the config was not resolved.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        composition: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if composition is None:
            raise UserError(
                'PseudoLabeledDataset.composition: is missing; the config needs '
                "runner_type='mmcompose.CompositionRunner' (see _base_/default_compose.py)"
            )
        self._composition = dict(composition)
        self._labels: DetectionTable | None = None
        super().__init__(dataset, **kwargs)

    def prepare_config(self, config: dict[str, Any]) -> dict[str, Any]:
        """Keep the images that the wrapped dataset would drop for want of labels."""
        config.pop('filter_cfg', None)
        for name in ('dataset', 'datasets'):
            if isinstance(part := config.get(name), Mapping):
                config[name] = self.prepare_config(dict(part))
            elif part is not None:
                config[name] = [self.prepare_config(dict(each)) for each in part]
        return config

    def full_init(self) -> None:
        """Make sure of the labels: make what is missing, wait for the others, map them."""
        if self._labels is not None:
            return
        super().full_init()
        images = self.images
        labels = Composition.from_config(self._composition).labels(images)
        barrier()
        assert labels.keys == [image.key for image in images]
        if self._reads_masks and labels.num_boxes and not labels.has_masks:
            raise UserError(
                'PseudoLabeledDataset.pipeline: loads masks (with_mask=True), but no pseudo-label '
                'has one; name a teacher that gives masks, or train a student of boxes alone'
            )
        self._labels = labels

    @property
    def images(self) -> list[Image]:
        """The pool."""
        self.dataset.full_init()
        return images_of(self.dataset)

    @property
    def labels(self) -> DetectionTable:
        """The pseudo-labels, a row an image."""
        self.full_init()
        assert self._labels is not None
        return self._labels

    def labels_of(self, index: int) -> Detections:
        """Return the pseudo-labels of one of the dataset's images."""
        found = self.labels[index]
        return for_mask_student(found) if self._reads_masks else found

    @property
    def _reads_masks(self) -> bool:
        return reads_masks(self.pipeline.transforms)

    def relabel(self, index: int, info: dict[str, Any]) -> list[dict[str, Any]]:
        """See :meth:`RelabeledDataset.relabel`."""
        found = self.labels_of(index)
        ignore = np.zeros(len(found), bool) if found.ignore is None else found.ignore
        rows = zip(
            found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), ignore, strict=True
        )
        instances = [
            {'bbox': box, 'bbox_label': label, 'ignore_flag': int(ignored), 'score': score}
            for box, label, score, ignored in rows
        ]
        if found.weights is not None:
            for instance, weight in zip(instances, found.weights.tolist(), strict=True):
                instance['weight'] = weight
        if self._reads_masks:
            size = self.labels.size(index)
            for instance, mask in zip(instances, found.masks, strict=True):
                instance['mask'] = segmentation(mask, *size)
        return instances

    def count_boxes(self) -> NDArray[np.int64]:
        """Return ``(C, 2)``: how many boxes of each class are kept, and how many ignored."""
        counts = np.zeros((len(self.metainfo['classes']), 2), np.int64)
        for row in range(len(self)):
            found = self.labels_of(row)
            ignore = np.zeros(len(found), bool) if found.ignore is None else found.ignore
            np.add.at(counts, (found.labels, ignore.astype(int)), 1)
        return counts


def pseudo_labeled(dataset: Any) -> Iterator[PseudoLabeledDataset]:
    """Yield the pseudo-labelled datasets in a dataset and all that it wraps."""
    if isinstance(dataset, PseudoLabeledDataset):
        yield dataset
        return
    for part in (getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())):
        if part is not None:
            yield from pseudo_labeled(part)
