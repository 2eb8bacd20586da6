"""PseudoLabeledDataset: images with the labels that the teachers agree on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmdet.registry import DATASETS as MMDET_DATASETS
from mmengine.dataset import BaseDataset
from mmengine.dist import barrier
from numpy.typing import NDArray

from mmcompose.composition import Composition
from mmcompose.datasets.image_lists import images_of
from mmcompose.datasets.mask_labels import for_mask_student, reads_masks, segmentation
from mmcompose.datasets.relabeled import RelabeledDataset
from mmcompose.datasets.shared_fingerprint import SharedFingerprint
from mmcompose.datasets.wrapping import wrapped
from mmcompose.registry import DATASETS
from mmcompose.store import DetectionTable
from mmcompose.structures import Detections, Image
from mmcompose.utils import UserError, fault, problem


@DATASETS.register_module()
class PseudoLabeledDataset(RelabeledDataset):
    """Any dataset's images, with pseudo-labels in place of its own labels.

    Makes sure of the labels when it is first used, never when it is built. Every image stays
    in, also one without a label: it is a negative, and lengths never depend on labels.

    Args:
        dataset: :class:`UnlabeledImages`, or any MMDet dataset: its labels are not read.
        composition: The config's ``composition``; ``resolve`` writes it here.
        pool: The images that labels are made of, where ``dataset`` is but a part of them: so
            that they are made once for all its parts, e.g. for what splits leave unlabelled.
            Defaults to ``dataset``.
        **kwargs: Of :class:`RelabeledDataset`.

    Raises:
        UserError: If ``composition`` is missing, which means that the config was not resolved;
            when it is first used, if an image is not in ``pool``.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        composition: Mapping[str, Any] | None = None,
        pool: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if composition is None:
            raise UserError(
                fault(
                    'PseudoLabeledDataset.composition',
                    'is missing; the config needs '
                    "runner_type='mmcompose.CompositionRunner' (see _base_/default_compose.py)",
                )
            )
        self._composition = dict(composition)
        self._labels: DetectionTable | None = None
        self._current = SharedFingerprint()
        super().__init__(dataset, **kwargs)
        self._pool: BaseDataset = self.dataset
        if pool is not None:
            self._pool = MMDET_DATASETS.build(self.prepare_config(dict(pool)) | {'lazy_init': True})
        # Which row of the labels belongs to an image; None where they are in one order.
        self._rows: NDArray[np.int64] | None = None

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
        labels = self.composition.labels(images)
        barrier()
        assert labels.keys == [image.key for image in images]
        if self._reads_masks and labels.num_boxes and not labels.has_masks:
            raise UserError(
                fault(
                    'PseudoLabeledDataset.pipeline',
                    'loads masks (with_mask=True), but no pseudo-label '
                    'has one; name a teacher that gives masks, or train a student of boxes alone',
                )
            )
        if self._pool is not self.dataset:
            self._rows = _rows_of(images_of(self.dataset), images)
        self._labels = labels
        self._current.set(_fingerprint_of(labels))

    @property
    def images(self) -> list[Image]:
        """The pool."""
        self._pool.full_init()
        return images_of(self._pool)

    @property
    def labels(self) -> DetectionTable:
        """The pseudo-labels, a row an image of the pool."""
        self.full_init()
        assert self._labels is not None
        current = self._current.get()
        if _fingerprint_of(self._labels) != current:
            path = self._labels.path
            self._labels = DetectionTable(path.parents[1] / current / path.name)
        return self._labels

    @property
    def composition(self) -> Composition:
        """The composition that made the first labels."""
        return Composition.from_config(self._composition)

    @property
    def labels_fingerprint(self) -> str:
        """What addresses the current labels in the store."""
        return _fingerprint_of(self.labels)

    def use_labels(self, labels: DetectionTable) -> None:
        """Take other labels of the same images, in the data loader's workers as well.

        Args:
            labels: What :meth:`mmcompose.composition.Composition.labels` gave for
                :attr:`images`, of the same store.
        """
        assert labels.path.parents[1] == self.labels.path.parents[1]
        self._current.set(_fingerprint_of(labels))

    def labels_of(self, index: int) -> Detections:
        """Return the pseudo-labels of one of the dataset's images."""
        found = self.labels[self._row(index)]
        return for_mask_student(found) if self._reads_masks else found

    def _row(self, index: int) -> int:
        return index if self._rows is None else int(self._rows[index])

    @property
    def _reads_masks(self) -> bool:
        return reads_masks(self.pipeline.transforms)

    def relabel(self, index: int, info: dict[str, Any]) -> list[dict[str, Any]]:
        """See :meth:`RelabeledDataset.relabel`."""
        found = self.labels_of(index)
        rows = zip(
            found.boxes.tolist(),
            found.labels.tolist(),
            found.scores.tolist(),
            found.is_ignored,
            strict=True,
        )
        instances = [
            {'bbox': box, 'bbox_label': label, 'ignore_flag': int(ignored), 'score': score}
            for box, label, score, ignored in rows
        ]
        if found.weights is not None:
            for instance, weight in zip(instances, found.weights.tolist(), strict=True):
                instance['weight'] = weight
        if self._reads_masks:
            size = self.labels.size(self._row(index))
            for instance, mask in zip(instances, found.masks, strict=True):
                instance['mask'] = segmentation(mask, *size)
        return instances

    def count_boxes(self) -> NDArray[np.int64]:
        """Return ``(C, 2)``: how many boxes of each class are kept, and how many ignored."""
        counts = np.zeros((len(self.metainfo['classes']), 2), np.int64)
        for index in range(len(self)):
            found = self.labels_of(index)
            np.add.at(counts, (found.labels, found.is_ignored.astype(int)), 1)
        return counts


def _rows_of(images: Sequence[Image], pool: Sequence[Image]) -> NDArray[np.int64]:
    rows = {image.key: row for row, image in enumerate(pool)}
    for image in images:
        if image.key not in rows:
            raise UserError(problem('PseudoLabeledDataset.pool', image.key, 'is not in it'))
    return np.array([rows[image.key] for image in images], np.int64)


def _fingerprint_of(labels: DetectionTable) -> str:
    """Return the name of the folder in which the store keeps them."""
    return labels.path.parent.name


def pseudo_labeled(dataset: Any) -> Iterator[PseudoLabeledDataset]:
    """Yield the pseudo-labelled datasets in a dataset and all that it wraps."""
    if isinstance(dataset, PseudoLabeledDataset):
        yield dataset
        return
    for part in wrapped(dataset):
        yield from pseudo_labeled(part)
