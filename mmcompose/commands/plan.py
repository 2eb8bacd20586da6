"""What a config would do, before anything is done."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmcompose.checks.check_datasets import dataset_problems, file_problems
from mmcompose.class_space import Overview, overview
from mmcompose.commands.config_files import read_compose_config
from mmcompose.composition import Composition, preserve_process_state
from mmcompose.composition.features import FEATURES
from mmcompose.composition.resources import peak_memory
from mmcompose.composition.unreadable import why_unreadable
from mmcompose.datasets import UnlabeledImages, dataset_class, images_of
from mmcompose.datasets.content_digests import digests_of_uncompressed
from mmcompose.datasets.pool_summary import PoolSummary, summarize_pool
from mmcompose.engine.checked import resolve_checked
from mmcompose.engine.read_composition import (
    first_pseudo_labeled,
    pseudo_labeled_configs,
    read_composition,
)
from mmcompose.registry import LABEL_TRANSFORMS, find, type_name
from mmcompose.structures import Detections, Image
from mmcompose.utils import Mistakes, Problem, UserError, allowing, fault, problem

# What is stored is looked up by all pictures' sizes: of more, reading them would take minutes.
_MOST_LOOKED_UP = 10_000
_BYTES_A_BOX = 30


@dataclass
class Plan:
    """What :func:`plan` found; see its arguments for what is None.

    Args:
        mistakes: All that is wrong with the config.
        teachers: By name the type and how many classes it has.
        architectures: By name the model, as its library names it; None where that has no meaning.
        parameters: By name the number of weights, None where that has no meaning.
        class_space: As tables of names; None where the teachers cannot be read.
        pipeline: A line a step.
        has_pool: Whether the config names a pool.
        pool: What is in it, or in all of them together; None where the config has none, or it
            cannot be listed.
        makers: Who looks at the pool's pictures: the teachers, and what compares what pictures
            look like, where the label pipeline does.
        to_predict: By name of how many pictures nothing of theirs is stored; None where that was
            not looked up.
        is_content_unknown: Whether pictures that labelling knows by their content were looked up
            without: one that was changed in place is predicted on again.
        owners_by_name: A line for each teacher that predicts some of its classes nowhere in the
            pool, others do, as far as predictions are stored.
        seconds: By name the seconds an image, where teachers were timed.
        boxes: By name the boxes an image, likewise.
        num_bytes: By name about how many bytes of the store an image takes, likewise.
        peak_memory: The most bytes that this process has held, all teachers loaded, likewise; of
            the GPU's, too, where they ran there.
    """

    mistakes: list[Problem] = field(default_factory=list)
    teachers: dict[str, tuple[str, int]] = field(default_factory=dict)
    architectures: dict[str, str | None] = field(default_factory=dict)
    parameters: dict[str, int | None] = field(default_factory=dict)
    class_space: Overview | None = None
    pipeline: list[str] = field(default_factory=list)
    has_pool: bool = False
    pool: PoolSummary | None = None
    makers: list[str] = field(default_factory=list)
    to_predict: dict[str, int] | None = None
    is_content_unknown: bool = False
    owners_by_name: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    boxes: dict[str, float] = field(default_factory=dict)
    num_bytes: dict[str, float] = field(default_factory=dict)
    peak_memory: dict[str, int] = field(default_factory=dict)

    @property
    def stored(self) -> list[str] | None:
        """The makers whose results of the whole pool are stored; None where unknown."""
        if self.to_predict is None:
            return None
        return [name for name in self.makers if not self.to_predict[name]]

    @property
    def missing(self) -> dict[str, int]:
        """The makers that would look at pictures, and at how many."""
        count = 0 if self.pool is None else self.pool.num_images
        left = self.to_predict or dict.fromkeys(self.makers, count)
        return {name: left[name] for name in self.makers if name not in (self.stored or ())}

    @property
    def total_seconds(self) -> float | None:
        """How long they would take, one process alone; None where they were not timed."""
        if self.pool is None or not self.seconds:
            return None
        return sum(self.seconds[name] * count for name, count in self.missing.items())

    @property
    def total_bytes(self) -> int | None:
        """About how much disk their results would take; None likewise."""
        if self.pool is None or not self.num_bytes:
            return None
        return int(sum(self.num_bytes[name] * count for name, count in self.missing.items()))


def plan(config: str | Config, timed_images: int = 0) -> Plan:
    """Describe what a config would do; nothing is written.

    Args:
        config: A config with a composition, or its path.
        timed_images: On how many pictures of the pool the teachers are timed; their weights are
            loaded then, and counted. Defaults to 0.

    Returns:
        The plan, with all mistakes: none is raised.

    Raises:
        UserError: If there is no config at the path, or it has no composition; if
            ``timed_images`` is below 0.
    """
    if timed_images < 0:
        raise UserError(problem('timed_images', timed_images, 'is not 0 or more'))
    config = read_compose_config(config)
    made, mistakes = Plan(), Mistakes()
    composition: Composition | None = None
    with mistakes:
        composition = read_composition(config)
    with mistakes:
        resolve_checked(config, composition=composition, is_here=False)
    if composition is not None:
        made.class_space = overview(composition.class_space)
        for name, record in composition.teacher_records.items():
            kind = type_name(config.composition.teachers[name])
            made.teachers[name] = (kind, len(record['classes']))
        compares = composition.prediction_maker.features is not None
        made.makers = [*made.teachers, *([FEATURES] if compares else [])]
        with mistakes:
            made.architectures = {n: each.architecture for n, each in composition.teachers.items()}
    made.pipeline = [_in_words(step) for step in config.composition.get('label_pipeline') or ()]
    of_pool = Mistakes()
    with of_pool, allowing(config.get('allow')):
        made.has_pool = first_pseudo_labeled(config) is not None
        pools = _pools(config)
        if pools:
            made.pool = PoolSummary.join([_summary(each.dataset) for each in pools])
            if composition is not None and made.pool.num_images <= _MOST_LOOKED_UP:
                _look_up(made, composition, pools)
            if composition is not None and timed_images:
                _time(made, composition, _first_readable(pools[0].dataset, timed_images))
    made.mistakes = list({str(each): each for each in mistakes.problems}.values())
    # What the pool's dataset finds may be found already, under the config's key.
    found = {(repr(each.value), each.expected) for each in made.mistakes}
    made.mistakes += [
        each for each in of_pool.problems if (repr(each.value), each.expected) not in found
    ]
    return made


def _in_words(step: Any) -> str:
    """Return a step's class, its first line of documentation, and what the config sets."""
    if not isinstance(step, Mapping) or 'type' not in step:
        return repr(step)
    name = type_name(step)
    registry = LABEL_TRANSFORMS
    registry.import_from_location()
    if name not in registry.module_dict:
        return name
    cls = find(registry, step['type'], 'type')
    first = (inspect.getdoc(cls) or '').partition('\n')[0].rstrip('.')
    # Without the markup of a docstring: ``name``, :class:`Name`.
    what = re.sub(r':\w+:(?=`)|`', '', first)
    settings = ', '.join(f'{k}={v!r}' for k, v in step.items() if k != 'type')
    return f'{name}({settings}): {what}'


class _Pool(NamedTuple):
    """A dataset whose images the student learns from, and the config's ``digest`` of it."""

    dataset: Any
    digest: bool | None


def _pools(config: Config) -> list[_Pool]:
    """Return the datasets whose images the student learns from, not yet listed."""
    pools = []
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmdet'):
        for each in pseudo_labeled_configs(config):
            inner = each.get('pool') or each.get('dataset')
            # These were found already.
            if inner is None or dataset_problems('dataset', inner):
                return []
            more: dict[str, Any] = {'lazy_init': True}
            if issubclass(dataset_class(inner), UnlabeledImages):
                # A plan reads no picture.
                more['digest'] = False
            elif problems := file_problems('PseudoLabeledDataset.dataset', inner):
                raise UserError(*problems)
            pools.append(_Pool(DATASETS.build({**inner, **more}), inner.get('digest')))
    return pools


def _look_up(made: Plan, composition: Composition, pools: Sequence[_Pool]) -> None:
    """Look up what of pools is stored."""
    made.to_predict = dict.fromkeys(made.makers, 0)
    owners: dict[str, None] = {}
    for dataset, digest in pools:
        # MMEngine warns where it has to do so itself.
        dataset.full_init()
        images = images_of(dataset)
        for name, count in composition.prediction_maker.count_missing(images).items():
            made.to_predict[name] += count
        owners |= dict.fromkeys(composition.owners_by_name(images))
        if digest is None and not images.has_digests:
            digest = digests_of_uncompressed(images.table) is not None
        made.is_content_unknown |= bool(digest)
    made.owners_by_name = list(owners)


def _summary(dataset: Any) -> PoolSummary:
    if isinstance(dataset, UnlabeledImages):
        return dataset.summary()
    dataset.full_init()
    images = images_of(dataset)
    return summarize_pool((image.path, image.width, image.height) for image in images)


def _first_readable(dataset: Any, count: int) -> list[Image]:
    looked_at = count
    while True:
        # Other datasets have listed all of theirs.
        is_ours = isinstance(dataset, UnlabeledImages)
        images = dataset.first(looked_at) if is_ours else images_of(dataset)[:looked_at]
        # Labelling leaves the others out.
        readable = [image for image in images if why_unreadable(image) is None]
        if len(readable) >= count or len(images) < looked_at:
            break
        looked_at *= 2
    if not readable:
        raise UserError(fault('timed_images', 'no picture of the pool can be decoded'))
    return readable[:count]


def _time(made: Plan, composition: Composition, images: Sequence[Image]) -> None:
    teachers = dict(composition.teachers)
    if (features := composition.prediction_maker.features) is not None:
        teachers[FEATURES] = features.open()
    with preserve_process_state():
        for name, teacher in teachers.items():
            # The first loads the weights.
            teacher.predict(images[:1])
            made.parameters[name] = teacher.num_parameters
            assert all(image.pixels.size for image in images)
            started = time.perf_counter()
            found = teacher.predict(images)
            made.seconds[name] = (time.perf_counter() - started) / len(images)
            made.boxes[name] = sum(map(len, found)) / len(images)
            made.num_bytes[name] = sum(map(_size, found)) / len(images)
        made.peak_memory = peak_memory()
    for image in images:
        image.forget_pixels()


def _size(found: Detections) -> int:
    """Return about how many bytes of the store what one predicts in a picture takes."""
    return len(found) * _BYTES_A_BOX if found.features is None else found.features.nbytes
