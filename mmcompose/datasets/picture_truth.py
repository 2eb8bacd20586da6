"""PictureTruth: truth of some classes, for some of the pictures that teachers label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from mmdet.registry import DATASETS as MMDET_DATASETS
from mmengine.dataset import BaseDataset
from numpy.typing import NDArray

from mmcompose.datasets.class_space_dataset import ClassSpaceDataset
from mmcompose.datasets.relabeled import RelabeledDataset
from mmcompose.datasets.wrapping import change_sources, is_wrapper, wrapped
from mmcompose.structures import Image
from mmcompose.structures.boxes import iou
from mmcompose.structures.name_matching import match_names
from mmcompose.utils import UserError, doubt, examples, fault, log, problem

KEY = 'PseudoLabeledDataset.truth'
# A truth's number among several, and a picture's number there.
Entry = tuple[int, int]


class PictureTruth:
    """What labeled datasets know of the pictures of a pool.

    Args:
        dataset: The config of a :class:`ClassSpaceDataset`, or of several in one.
        num_classes: How many classes the student has.
        iou_thr: A teacher's box that overlaps a true one more is dropped: the object has a name.
            One of a finer class than the true one's stays.

    Raises:
        UserError: If one of them names no class of the student.
    """

    def __init__(self, dataset: Mapping[str, Any], num_classes: int, iou_thr: float) -> None:
        built = MMDET_DATASETS.build({**with_all_pictures(dataset), 'lazy_init': True})
        # Each once, however often a wrapper repeats it.
        self._truths: list[BaseDataset] = [*_truths_in(built)]
        for truth in self._truths:
            if isinstance(truth, ClassSpaceDataset):
                truth.check_classes()
        self._num_classes = num_classes
        self._iou_thr = iou_thr
        self._below = np.zeros((num_classes, num_classes), np.bool_)
        # By the picture's number in the pool.
        self._entries: dict[int, list[Entry]] = {}

    def match(self, images: Sequence[Image], below: NDArray[np.bool_] | None = None) -> None:
        """Find out which picture of the pool is which of each truth.

        The same path decides, and else the longest common end of path and key.

        Args:
            images: The pool.
            below: Which class is a finer one of which; see :attr:`Hierarchy.below`. Defaults to
                none of any.

        Raises:
            UserError: If none is, or it is not known which, or several truths of one picture
                cover the same class.
        """
        if below is not None:
            self._below = below
        infos: dict[Entry, Mapping[str, Any]] = {}
        entries: dict[int, list[Entry]] = defaultdict(list)
        paths: dict[str, None] = {}
        for number, truth in enumerate(self._truths):
            truth.full_init()
            by_path: dict[str, list[Entry]] = defaultdict(list)
            for index in range(len(truth)):
                info = infos[number, index] = truth.get_data_info(index)
                by_path[info['img_path']].append((number, index))
            for place, path in _paths_by_place(images, by_path).items():
                entries[place] += by_path[path]
            paths |= dict.fromkeys(by_path)
        if not entries:
            of_both = f'the first of the pool is {images[0].key!r}'
            if paths:
                of_both += f', of the truth {next(iter(paths))!r}'
            raise UserError(
                fault(KEY, f'none of its {len(paths)} pictures is in the pool: {of_both}')
            )
        _check_sizes({images[place]: [infos[e] for e in of] for place, of in entries.items()})
        self._entries = {
            place: self._distinct(images[place], {each: infos[each] for each in of})
            for place, of in entries.items()
        }
        log(f'{len(entries)} of {len(images)} pictures have truth of some classes')

    def _distinct(self, image: Image, infos: Mapping[Entry, Mapping[str, Any]]) -> list[Entry]:
        """Return the entries of a picture, those that list the same once.

        Raises:
            UserError: If two others cover the same class.
        """
        distinct: dict[tuple[Any, ...], Entry] = {}
        for entry, info in infos.items():
            distinct.setdefault(self._listed(info), entry)
        entries = [*distinct.values()]
        for one, other in combinations(entries, 2):
            if both := self._covered(infos[one]) & self._covered(infos[other]):
                files = ' and '.join(dict.fromkeys(self._file(entry) for entry in (one, other)))
                classes = self._truths[0].metainfo['classes']
                expected = (
                    f'is listed twice with {examples([classes[each] for each in sorted(both)])} '
                    f'labeled, in {files}; let covered_classes of a ClassSpaceDataset around each '
                    'truth name what that one rules'
                )
                raise UserError(problem(KEY, image.key, expected))
        return entries

    def _listed(self, info: Mapping[str, Any]) -> tuple[Any, ...]:
        boxes = ((e['bbox_label'], e['ignore_flag'], *e['bbox']) for e in info['instances'])
        return self._covered(info), *boxes

    def _file(self, entry: Entry) -> str:
        truth = self._truths[entry[0]]
        inner = getattr(truth, 'dataset', truth)
        return repr(getattr(inner, 'ann_file', None) or type(inner).__name__)

    def _infos(self, place: int) -> list[dict[str, Any]]:
        """Return what each truth has of a picture of the pool."""
        entries = self._entries.get(place, ())
        return [self._truths[number].get_data_info(index) for number, index in entries]

    def check_masks(self) -> None:
        """Check that some true instance can teach a student of masks.

        Raises:
            UserError: If there are some, and none has a mask.
        """
        infos = (info for place in self._entries for info in self._infos(place))
        masked = ['mask' in each for info in infos for each in info['instances']]
        if masked and not any(masked):
            expected = (
                f'none of its {len(masked)} instances has a mask, but the pipeline loads masks '
                '(with_mask=True); leave it out, or train a student of boxes alone'
            )
            raise UserError(fault(KEY, expected))

    @property
    def places(self) -> list[int]:
        """The numbers in the pool of the pictures that have truth."""
        return [*self._entries]

    def covered(self, place: int) -> frozenset[int]:
        """Return the classes that the truth of a picture covers: none where it has no truth."""
        return frozenset().union(*map(self._covered, self._infos(place)))

    def _covered(self, info: Mapping[str, Any]) -> frozenset[int]:
        return frozenset(info.get('covered_classes', range(self._num_classes)))

    def ruled(
        self, place: int, instances: list[dict[str, Any]]
    ) -> tuple[list[dict[str, Any]], frozenset[int]]:
        """Let the truth of a picture rule the classes that it covers.

        Args:
            place: The picture's number in the pool.
            instances: The teachers'.

        Returns:
            The true instances, then the teachers' of other classes in other places, or of finer
            ones; and the classes covered.
        """
        infos = self._infos(place)
        covers = [self._covered(info) for info in infos]
        covered = frozenset[int]().union(*covers)
        truth = [
            each
            for info, own in zip(infos, covers, strict=True)
            for each in info['instances']
            # Where another truth covers the class, that one rules.
            if each['bbox_label'] not in covered - own
        ]
        others = [each for each in instances if each['bbox_label'] not in covered]
        true = [each for each in truth if not each['ignore_flag']]
        if others and true:
            highest = self._overlap(others, true).max(axis=1)
            others = [each for each, of in zip(others, highest, strict=True) if of <= self._iou_thr]
        return [*truth, *others], covered

    def _overlap(
        self, others: list[dict[str, Any]], true: list[dict[str, Any]]
    ) -> NDArray[np.floating[Any]]:
        """Return the IoU of boxes with true ones, 0 where a finer class names the same object."""
        boxes, true_boxes = (
            np.array([each['bbox'] for each in part], np.float32) for part in (others, true)
        )
        labels, true_labels = (
            np.array([each['bbox_label'] for each in part]) for part in (others, true)
        )
        is_finer = self._below[true_labels, labels[:, None]]
        return np.where(is_finer, 0, iou(boxes, true_boxes))


def _truths_in(dataset: Any) -> Iterator[BaseDataset]:
    """Yield the labeled datasets in a dataset, which may be one itself."""
    parts = [] if isinstance(dataset, RelabeledDataset) else wrapped(dataset)
    if not parts:
        yield dataset
    for part in parts:
        yield from _truths_in(part)


def _paths_by_place(images: Sequence[Image], paths: Collection[str]) -> dict[int, str]:
    """Return which of a truth's paths each picture has, by its number in the pool."""
    listed = set(paths)
    same = {image.path for image in images} & listed
    rest = [image.key for image in images if image.path not in same]
    named = match_names([path for path in paths if path not in same], rest).entry_of
    found = (image.path if image.path in same else named.get(image.key) for image in images)
    return {place: path for place, path in enumerate(found) if path is not None}


def with_all_pictures(config: Mapping[str, Any]) -> dict[str, Any]:
    """Let a dataset list the pictures without boxes, and the boxes that are to be ignored."""
    changed = dict(config)
    change_sources('truth', changed, lambda _, part: with_all_pictures(part))
    return changed if is_wrapper(config) else {**changed, 'test_mode': True}


def _check_sizes(infos: Mapping[Image, Sequence[Mapping[str, Any]]]) -> None:
    """Compare pictures that can be read with the sizes that truths list.

    Raises:
        UserError: If one is of another size, which may be allowed.
    """
    differ = {
        image: size
        for image, listed in infos.items()
        if image.width
        for info in listed
        if None not in (size := (info.get('width'), info.get('height')))
        and size != (image.width, image.height)
    }
    if differ:
        image, size = next(iter(differ.items()))
        expected = (
            f'is {image.width}x{image.height} pixels, in the truth {size[0]}x{size[1]} '
            f'({len(differ)} of {len(infos)} pictures differ)'
        )
        doubt('listed-sizes', problem(KEY, image.key, expected))
