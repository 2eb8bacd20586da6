"""PseudoLabeledDataset: images with the labels that the teachers agree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS as MMDET_DATASETS
from mmengine.dataset import BaseDataset
from numpy.typing import NDArray

from mmcompose.composition import Composition, PoolLabels
from mmcompose.datasets.complete_classes import CompleteClasses, Covered
from mmcompose.datasets.dataset_class import dataset_class
from mmcompose.datasets.image_lists import images_of
from mmcompose.datasets.mask_labels import (
    for_mask_student,
    instances_for_mask_student,
    masked_instances,
    reads_masks,
)
from mmcompose.datasets.picture_truth import PictureTruth
from mmcompose.datasets.relabeled import RelabeledDataset
from mmcompose.datasets.shared_fingerprint import SharedFingerprint
from mmcompose.datasets.subset_rows import rows_in_pool
from mmcompose.datasets.unlabeled_images import UnlabeledImages
from mmcompose.datasets.wrapping import change_sources, wrapped
from mmcompose.registry import DATASETS
from mmcompose.store import DetectionTable, ImageTable
from mmcompose.structures import Detections
from mmcompose.utils import Fraction, UserError, allowing, fault

_NO_CLASS = frozenset[int]()


@DATASETS.register_module()
class PseudoLabeledDataset(RelabeledDataset):
    """Any dataset's images, with pseudo-labels in place of its own labels.

    Makes sure of the labels when it is first used, never when it is built. Every image stays
    in, also one without a label: it is a negative, and lengths never depend on labels. Only
    pictures that cannot be read are left out. A class of which no owner predicted on a picture is
    left out of the picture's loss.

    Args:
        dataset: :class:`UnlabeledImages`, or any MMDet dataset: its labels are not read.
        composition: The config's ``composition``; ``resolve`` writes it here.
        pool: The images that labels are made of, where ``dataset`` is but a part of them: so
            that they are made once for all its parts, e.g. for what splits leave unlabeled.
            Defaults to ``dataset``.
        truth: A labeled dataset of some of these pictures, or several in a ``ConcatDataset``,
            each for its own classes. It rules the classes that it covers, with boxes of weight 1,
            those to be ignored included; the teachers fill the others. A class that neither
            covers is left out of the picture's loss. Defaults to none.
        truth_iou_thr: A teacher's box of another class that overlaps a true box by more is
            dropped, but for a finer one (``class_space.hierarchy``): the object has a name. 1 keeps
            all, for classes that name one object twice, as person and player do. Defaults to 0.5.
        **kwargs: Arguments of :class:`RelabeledDataset`.

    Raises:
        UserError: If ``composition`` is missing, which means that the config was not resolved;
            when it is first used, if an image is not in ``pool``, or another one of its name is.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        composition: Mapping[str, Any] | None = None,
        pool: Mapping[str, Any] | None = None,
        truth: Mapping[str, Any] | None = None,
        truth_iou_thr: Fraction = 0.5,
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
        # The fingerprint of those that the composition made.
        self._made = ''
        self._images: ImageTable | None = None
        self._current = SharedFingerprint()
        # Of the labels that are mapped, as the shared fingerprint has it.
        self._number: int | None = None
        self._length: int | None = None
        self._masks: tuple[Any, bool] = (None, False)
        super().__init__(dataset, **kwargs)
        self._pool: BaseDataset = self.dataset
        if pool is not None:
            self._pool = MMDET_DATASETS.build(self.prepare_config(dict(pool)) | {'lazy_init': True})
        self._truth: PictureTruth | None = None
        if truth is not None:
            num_classes = len(self.metainfo['classes'])
            self._truth = PictureTruth(truth, num_classes, truth_iou_thr)
        # The row of the labels at each index; None where both are one.
        self._rows: NDArray[np.int64] | None = None

    def prepare_config(self, config: dict[str, Any]) -> dict[str, Any]:
        """Keep images that the dataset would drop for want of labels; read no labels."""
        config.pop('filter_cfg', None)
        kind = config.get('type')
        if kind is not None and dataset_class(config) is CocoDataset:
            # Which needs no annotation, and reads what others write.
            prefix = (config.get('data_prefix') or {}).get('img', '')
            config.update(type=UnlabeledImages, data_prefix={'img': prefix})
        if kind is not None and issubclass(dataset_class(config), UnlabeledImages):
            config.setdefault('index', self._composition.get('store'))
            config.setdefault('allow', self._composition.get('allow', ()))
        change_sources('dataset', config, lambda _, part: self.prepare_config(dict(part)))
        return config

    def full_init(self) -> None:
        """Make sure of the labels: make what is missing, wait for the others, map them."""
        if self._labels is not None:
            return
        super().full_init()
        images = self.images
        labels = self.composition.labels(images)
        table = labels.table
        if self._reads_masks and table.num_boxes and not table.has_masks:
            raise UserError(
                fault(
                    'PseudoLabeledDataset.pipeline',
                    'loads masks (with_mask=True), but no pseudo-label '
                    'has one; name a teacher that gives masks, or train a student of boxes alone',
                )
            )
        own = images
        if self._pool is not self.dataset:
            own = images_of(self.dataset)
            self._rows = rows_in_pool(own, images)
        if self._truth is not None:
            with allowing(self._composition.get('allow')):
                self._truth.match(own, self.composition.class_space.hierarchy.below)
            if self._reads_masks:
                self._truth.check_masks()
        # Workers take it along, and build no composition.
        _ = self._complete.anywhere
        if unreadable := table.unreadable():
            rows = np.arange(len(own)) if self._rows is None else self._rows
            self._take(np.flatnonzero(~np.isin(rows, list(unreadable))))
        self._labels, self._made = table, labels.fingerprint
        self._current.set(labels.fingerprint)

    def _take(self, rows: NDArray[np.int64]) -> None:
        every = np.arange(len(self.dataset)) if self._rows is None else self._rows
        self._rows = every[rows]
        self._length = None
        super()._take(rows)

    @property
    def images(self) -> ImageTable:
        """The pool."""
        if self._images is None:
            self._pool.full_init()
            self._images = images_of(self._pool)
        return self._images

    @property
    def labels(self) -> DetectionTable:
        """The pseudo-labels, a row an image of the pool."""
        if self._labels is None:
            self.full_init()
        assert self._labels is not None
        if self._current.has_changed(self._number):
            self._number = self._current.number
            current = self._current.get()
            if self._labels.fingerprint != current:
                self._labels = self.composition.store.open_labels(current)
        return self._labels

    @cached_property
    def composition(self) -> Composition:
        """The composition that made the first labels."""
        return Composition.from_config(self._composition)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what a worker of the data loader has no use for, or makes of the config."""
        state = {name: value for name, value in vars(self).items() if name != 'composition'}
        return {**state, '_images': None}

    @property
    def labels_fingerprint(self) -> str:
        """What addresses the current labels in the store."""
        return self.labels.fingerprint

    @property
    def made_fingerprint(self) -> str:
        """What addresses the labels that :attr:`composition` made, the current ones or not."""
        self.full_init()
        return self._made

    def use_labels(self, labels: PoolLabels) -> None:
        """Take other labels of the same images, in the data loader's workers as well.

        Args:
            labels: What :meth:`mmcompose.composition.Composition.labels` gave for
                :attr:`images`, of the same store.
        """
        self._current.set(labels.fingerprint)

    def __len__(self) -> int:
        if self._length is None:
            self._length = super().__len__()
        return self._length

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """See :meth:`RelabeledDataset.get_data_info`."""
        length = self._length or len(self)
        # Past the end is an IndexError, by which a plain loop over the dataset ends.
        index = idx if 0 <= idx < length else range(length)[idx]
        place = index if self._indices is None else self._place(index)
        info: dict[str, Any] = self.dataset.get_data_info(place)
        self._number_image(info, index)
        instances = self.relabel(index, info)
        info['instances'] = instances if self.weight == 1 else self._weighted(instances)
        return info

    def labels_of(self, index: int) -> Detections:
        """Return the pseudo-labels of one of the dataset's images."""
        found = self.labels[self._row(index)]
        return for_mask_student(found) if self._reads_masks else found

    def _row(self, index: int) -> int:
        return index if self._rows is None else int(self._rows[index])

    @property
    def _reads_masks(self) -> bool:
        # Some hooks switch the pipeline.
        if self._masks[0] is not self.pipeline:
            self._masks = (self.pipeline, reads_masks(self.pipeline.transforms))
        return self._masks[1]

    def relabel(self, index: int, info: dict[str, Any]) -> list[dict[str, Any]]:
        """See :meth:`RelabeledDataset.relabel`."""
        labels, row = self.labels, self._row(index)
        if self._reads_masks:
            instances = masked_instances(labels[row], *labels.size(row))
        else:
            instances = _instances(*labels.taught(row))
        covered = _NO_CLASS
        if self._truth is not None:
            instances, covered = self._truth.ruled(self._place(index), instances)
            if self._reads_masks:
                instances = instances_for_mask_student(instances)
        complete = self._complete.anywhere
        if covered or labels.has_unasked:
            complete = self._complete.of(labels.unasked(row), covered)
        if complete is not None:
            info['covered_classes'] = complete
        return instances

    @cached_property
    def _complete(self) -> CompleteClasses:
        return CompleteClasses(self.composition.class_space.owners)

    @property
    def coverages(self) -> set[Covered]:
        """Classes whose labels are complete, as they differ from picture to picture."""
        return {*self._count_coverages()}

    def count_missing(self) -> Counter[frozenset[int]]:
        """Return how many pictures lack which classes because no owner predicted on them."""
        counts: Counter[frozenset[int]] = Counter()
        for covered, count in self._count_coverages().items():
            counts[self._complete.missing(covered)] += count
        return counts

    def _count_coverages(self) -> Counter[Covered]:
        labels, places = self.labels, np.arange(len(self))
        rows = places if self._rows is None else self._rows
        places = places if self._indices is None else self._indices
        counts: Counter[Covered] = Counter()
        if self._truth is not None:
            ruled = np.isin(places, self._truth.places)
            for row, place in zip(rows[ruled].tolist(), places[ruled].tolist(), strict=True):
                counts[self._complete.of(labels.unasked(row), self._truth.covered(place))] += 1
            rows = rows[~ruled]
        # The others may be a million, and differ in few ways.
        for unasked, count in labels.count_unasked(rows).items():
            counts[self._complete.of(unasked)] += count
        return counts

    def count_boxes(self) -> NDArray[np.int64]:
        """Return ``(C, 2)``: how many boxes of each class are kept, and how many ignored."""
        num_classes = len(self.metainfo['classes'])
        if self._truth is None and not self._reads_masks:
            return self.labels.count_boxes(num_classes, self._rows)
        counts = np.zeros((num_classes, 2), np.int64)
        for index in range(len(self)):
            for each in self.relabel(index, {}):
                counts[each['bbox_label'], each['ignore_flag']] += 1
        return counts


def _instances(
    boxes: Sequence[list[float]],
    labels: Sequence[int],
    scores: Sequence[float],
    ignore: Sequence[int],
    weights: Sequence[float] | None,
) -> list[dict[str, Any]]:
    # Of one length each, which to compare would take an eighth of a picture's time.
    instances: list[dict[str, Any]] = [
        {'bbox': box, 'bbox_label': label, 'ignore_flag': ignored, 'score': score}
        for box, label, score, ignored in zip(boxes, labels, scores, ignore)
    ]
    if weights is not None:
        for instance, weight in zip(instances, weights, strict=True):
            instance['weight'] = weight
    return instances


def pseudo_labeled(dataset: Any) -> Iterator[PseudoLabeledDataset]:
    """Yield the pseudo-labeled datasets in a dataset and all that it wraps."""
    if isinstance(dataset, PseudoLabeledDataset):
        yield dataset
        return
    for part in wrapped(dataset):
        yield from pseudo_labeled(part)
