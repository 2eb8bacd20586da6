"""A config's composition, and what the stored predictions show of its class space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mmdet.registry import DATASETS
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

from mmcompose.class_space import Overview, overview
from mmcompose.composition import Composition
from mmcompose.datasets import PseudoLabeledDataset, each_dataset
from mmcompose.labeling import CoOccurrence, co_occurrences
from mmcompose.registry import class_of
from mmcompose.structures import Image
from mmcompose.utils import Problem, UserError, allowing, check_names, fault, problem

# From this share of the rarer one's boxes on, two names may well be one class.
_LIKELY = 0.3


def read_composition(config: Config) -> Composition:
    """Make a config's composition.

    Raises:
        UserError: With a line for each mistake. If a teacher's class is none of the student's and
            the predictions of the pool are stored, a further line names on which of the student's
            classes it lies in the pictures, as a ``mapping`` to copy.
    """
    plain = config.composition.to_dict()
    names, own = config.get('allow') or (), plain.get('allow') or ()
    # Names of no check are a mistake that is reported where the whole config is looked at.
    if not check_names('allow', names) and isinstance(own, (list, tuple)):
        plain['allow'] = [*own, *names]
    try:
        composition = Composition.from_config(plain)
    except UserError as error:
        raise UserError(*error.problems, *_hints(config, plain)) from error
    composition.list_pool = partial(_list_pool, config)
    return composition


def describe_classes(config: Config) -> tuple[Overview, list[CoOccurrence] | None]:
    """Return a config's class space as tables, and which names lie on the same objects.

    Args:
        config: A config with a composition.

    Returns:
        The tables; pairs of names, or None unless the predictions of two teachers on the pool
        that the student learns from are stored.

    Raises:
        UserError: As :func:`read_composition`.
    """
    composition = read_composition(config)
    return overview(composition.class_space), _together(composition, config)


def pool_of(config: Config) -> Sequence[Image] | None:
    """Return the images of the first pseudo-labeled dataset, None where there is none."""
    train = first_pseudo_labeled(config)
    if train is None:
        return None
    bare = {**train, 'composition': {}, 'metainfo': {'classes': ()}, 'pipeline': []}
    scope = config.get('default_scope') or 'mmdet'
    with DefaultScope.overwrite_default_scope(scope), allowing(config.get('allow')):
        dataset: PseudoLabeledDataset = DATASETS.build(bare)
        return dataset.images


def _list_pool(config: Config) -> Sequence[Image]:
    images = pool_of(config)
    if images is None:
        expected = 'holds no mmcompose.PseudoLabeledDataset, whose images are to be labeled'
        dataset = (config.get('train_dataloader') or {}).get('dataset')
        raise UserError(problem('train_dataloader.dataset', dataset, expected))
    return images


def first_pseudo_labeled(config: Config) -> ConfigDict | None:
    """Return the config of the first dataset that a student learns a composition's labels from.

    Args:
        config: With or without a training set, which may wrap it.

    Returns:
        Its dict; None where there is none.
    """
    outermost = (config.get('train_dataloader') or {}).get('dataset')
    return next(filter(_is_pseudo_labeled, each_dataset(outermost)), None)


def _is_pseudo_labeled(dataset: Any) -> bool:
    cls = class_of(dataset, DATASETS) if isinstance(dataset, Mapping) else None
    return isinstance(cls, type) and issubclass(cls, PseudoLabeledDataset)


def _together(composition: Composition, config: Config) -> list[CoOccurrence] | None:
    images = pool_of(config)
    if images is None:
        return None
    tables = composition.cached_predictions(images)
    if len(tables) < 2:
        return None
    space = composition.class_space.with_unmapped
    return co_occurrences(
        (composition.teacher_detections(tables, images, row, space) for row in range(len(images))),
        space,
    )


def _hints(config: Config, plain: Mapping[str, Any]) -> list[Problem]:
    """Return for each teacher with classes that fit nowhere a mapping that the pictures suggest."""
    try:
        lenient = {**(plain.get('class_space') or {}), 'on_unmapped': 'drop'}
        composition = Composition.from_config({**plain, 'class_space': lenient})
        if not composition.class_space.unmapped:
            return []
        pairs = _together(composition, config) or []
    except (UserError, TypeError):
        # Something else is wrong as well, and reported already.
        return []
    hints = []
    for teacher, names in composition.class_space.unmapped.items():
        suggested = _suggested(names, composition.class_space.classes, pairs)
        if suggested:
            mapping = ', '.join(f'{name!r}: {pair[0]!r}' for name, pair in suggested.items())
            counts = ', '.join(f'{name} on {p[0]} {p[1]} times' for name, p in suggested.items())
            hint = (
                f'in the stored predictions these lie on the same objects: {counts}; if they '
                f'are, add {{{mapping}}}'
            )
            hints.append(fault(f'composition.class_space.mapping.{teacher}', hint))
    return hints


def _suggested(
    names: Sequence[str], classes: Sequence[str], pairs: Sequence[CoOccurrence]
) -> dict[str, tuple[str, int]]:
    """Return for each name the student's class on which it lies most, with how often."""
    found: dict[str, tuple[str, int]] = {}
    for pair in pairs:
        for name, other in ((pair.first, pair.second), (pair.second, pair.first)):
            if name in names and other in classes and pair.share >= _LIKELY:
                found.setdefault(name, (other, pair.count))
    return found
