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
from mmcompose.store import ImageTable
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
    composition.list_pool = partial(pool_of, config)
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


def pools_of(config: Config) -> list[ImageTable]:
    """Return the images of each pool that a student learns a composition's labels from.

    Raises:
        UserError: If there is none.
    """
    scope = config.get('default_scope') or 'mmdet'
    pools = []
    with DefaultScope.overwrite_default_scope(scope), allowing(config.get('allow')):
        for each in pseudo_labeled_configs(config):
            bare = {**each, 'composition': {}, 'metainfo': {'classes': ()}, 'pipeline': []}
            dataset: PseudoLabeledDataset = DATASETS.build(bare)
            pools.append(dataset.images)
    if not pools:
        expected = 'holds no mmcompose.PseudoLabeledDataset, whose images are to be labeled'
        given = (config.get('train_dataloader') or {}).get('dataset')
        raise UserError(problem('train_dataloader.dataset', given, expected))
    return pools


def pool_of(config: Config) -> ImageTable:
    """Return the images of the one pool that a student learns a composition's labels from.

    Raises:
        UserError: If there is none, or there are several.
    """
    count = len(pseudo_labeled_configs(config))
    if count > 1:
        expected = f'holds {count} pools, and one is looked at here; use a config with one of them'
        raise UserError(fault('train_dataloader.dataset', expected))
    (images,) = pools_of(config)
    return images


def pseudo_labeled_configs(config: Config) -> list[ConfigDict]:
    """Return the configs of the datasets that a student learns a composition's labels from.

    Of those with one pool the first.

    Args:
        config: With or without a training set, which may wrap them.
    """
    outermost = (config.get('train_dataloader') or {}).get('dataset')
    found: list[ConfigDict] = []
    for each in filter(_is_pseudo_labeled, each_dataset(outermost)):
        if _pool_config(each) not in map(_pool_config, found):
            found.append(each)
    return found


def _pool_config(dataset: Mapping[str, Any]) -> Any:
    return dataset.get('pool') or dataset.get('dataset')


def first_pseudo_labeled(config: Config) -> ConfigDict | None:
    """Return the config of the first of them; None where there is none."""
    return next(iter(pseudo_labeled_configs(config)), None)


def _is_pseudo_labeled(dataset: Any) -> bool:
    # What names no type is told where the config is checked.
    is_typed = isinstance(dataset, Mapping) and 'type' in dataset
    cls = class_of(dataset, DATASETS) if is_typed else None
    return isinstance(cls, type) and issubclass(cls, PseudoLabeledDataset)


def _together(composition: Composition, config: Config) -> list[CoOccurrence] | None:
    if not pseudo_labeled_configs(config):
        return None
    cached = composition.prediction_maker.cached
    stored = [(images, cached(images)) for images in pools_of(config)]
    seen = [(images, tables) for images, tables in stored if len(tables) > 1]
    if not seen:
        return None
    space = composition.class_space.with_unmapped
    return co_occurrences(
        (
            composition.teacher_detections(tables, images, row, space)
            for images, tables in seen
            for row in range(len(images))
        ),
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
