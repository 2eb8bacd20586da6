"""resolve: from a config with a composition to a plain config that MMDetection runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

from mmcompose.checks.check_composition import composition_problems
from mmcompose.checks.check_label_support import check_label_support
from mmcompose.checks.check_mask_support import check_mask_support
from mmcompose.checks.check_value_types import LOADERS, value_type_problems
from mmcompose.checks.config_parts import metrics_by_key
from mmcompose.composition import Composition, without_weight
from mmcompose.datasets import (
    ClassSpaceDataset,
    MixedDataset,
    PseudoLabeledDataset,
    RelabeledDataset,
    UnlabeledImages,
    change_sources,
    dataset_class,
    each_dataset,
    is_wrapper,
    move_pipeline_up,
    pipelines,
    resolve_mixed_loader,
    wrapped,
)
from mmcompose.engine.label_weights import carry_weights
from mmcompose.engine.num_classes import set_num_classes
from mmcompose.engine.read_composition import read_composition
from mmcompose.engine.resolve_metrics import resolve_metric
from mmcompose.engine.unwrapped import unwrapped_config
from mmcompose.registry import type_name
from mmcompose.utils import UserError, fault, key_prefix, problem

AVERAGE_HOOK = 'mmcompose.AverageTeachersHook'
ROWS_HOOK = 'mmcompose.ClassRowsHook'
SUMMARY_HOOK = 'mmcompose.LabelSummaryHook'
UNCERTAIN_HOOK = 'mmcompose.UncertainLabelsHook'
CARD_HOOK = 'mmcompose.CompositionCardHook'
# What PackDetInputs passes on by itself, and what a metric without a file of truths needs.
_META_KEYS = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
              'flip_direction')  # fmt: skip


@dataclass(frozen=True)
class Resolved:
    """What a config with a composition comes to.

    Args:
        config: A plain config: class counts, class names, datasets and evaluators in the
            student's classes, hooks, and the composition in the pseudo-labeled datasets' dicts.
        composition: The composition.
    """

    config: Config
    composition: Composition


def resolve(config: Config, composition: Composition | None = None) -> Resolved:
    """Write what follows from ``composition`` where MMDetection looks for it.

    Reads each teacher's class names, but no weights. The plain config has no ``composition`` of
    its own and needs no teacher to test or deploy the student.

    Args:
        config: A config with ``composition``; left as it is.
        composition: What :func:`read_composition` made of it. Defaults to making it here.

    Raises:
        UserError: With a line for each mistake in ``composition``.
    """
    if problems := [*composition_problems(config), *value_type_problems(config)]:
        raise UserError(*problems)
    given, config = config, copy.deepcopy(config)
    for name in ('runner_type', 'allow'):
        config.pop(name, None)
    card = config.pop('card', None)
    # Without, MMEngine's Runner looks names up among its own classes alone.
    config.default_scope = config.get('default_scope') or 'mmdet'
    with DefaultScope.overwrite_default_scope(config.default_scope):
        composition = composition or read_composition(given)
        config.pop('composition')
        set_num_classes(config.model, len(composition.class_space.classes), MODELS)
        check_label_support(unwrapped_config(config.model), composition.pipeline)
        for name in LOADERS:
            if config.get(name) is not None:
                with key_prefix(name):
                    dataset = resolve_dataset('dataset', config[name].dataset, composition)
                    config[name].dataset = dataset
                    _resolve_sources(config, name)
        # Before steps are put between, so that its keys are those of the file.
        check_mask_support(config, composition)
        carry_weights(config)
        for name in ('val', 'test'):
            _resolve_evaluator(config, name, composition.class_space.classes)
        _resolve_tta(config)
        _add_hooks(config, composition, card)
    return Resolved(config, composition)


def resolve_dataset(key: str, dataset: Any, composition: Composition) -> Any:
    """Return a dataset's config with the student's classes, wrapped where it has labels.

    Args:
        key: Where the dataset stands in the config, for messages.
        dataset: Its config, which is changed.
        composition: Whose classes and aliases hold.

    Raises:
        UserError: If a type is missing or unknown, or a pool has a composition of its own.
    """
    cls = dataset_class(dataset, key)
    classes = list(composition.class_space.classes)
    resolved = composition.resolved
    of_truth = dict(classes=classes, aliases=resolved['class_space'].get('aliases', []))
    if resolved['allow']:
        of_truth['allow'] = resolved['allow']
    if issubclass(cls, PseudoLabeledDataset):
        if dataset.get('composition') is not None:
            expected = "is set here, and every pool has the config's composition and its store"
            raise UserError(fault(f'{key}.composition', f'{expected}; leave it out'))
        dataset.metainfo = dict(classes=classes)
        dataset.composition = composition.resolved
        if dataset.get('truth') is not None:
            dataset.truth = resolve_dataset(f'{key}.truth', dataset.truth, composition)
        # Whatever is in it stays as it is: its labels, and so its classes, are not read.
    elif issubclass(cls, ClassSpaceDataset):
        dataset.update(of_truth)
        move_pipeline_up(key, dataset)
    elif issubclass(cls, UnlabeledImages):
        dataset.metainfo = dict(classes=classes)
    elif is_wrapper(dataset):
        change_sources(key, dataset, lambda place, part: resolve_dataset(place, part, composition))
    else:
        dataset = ConfigDict(type='mmcompose.ClassSpaceDataset', dataset=dataset, **of_truth)
        move_pipeline_up(key, dataset)
    return dataset


def _resolve_sources(config: Config, name: str) -> None:
    """Let a MixedDataset's ratio reach the sampler, and refuse what would undo it."""
    loader = config[name]
    if _holds_mixed(loader.dataset):
        raise UserError(
            problem(
                'dataset.type',
                loader.dataset.type,
                'stands around a MixedDataset, and would mix '
                'its sources; put it around each of them',
            )
        )
    if not issubclass(dataset_class(loader.dataset), MixedDataset):
        return
    # Not by update, which would leave another sampler's arguments in.
    for key, value in resolve_mixed_loader(loader).items():
        loader[key] = value
    hooks = [type_name(hook) for hook in config.get('custom_hooks') or ()]
    if 'PipelineSwitchHook' in hooks:
        raise UserError(
            fault(
                'dataset',
                'each source of a MixedDataset has a pipeline of its own, and '
                'PipelineSwitchHook switches one for all; leave it out of custom_hooks',
            )
        )


def _holds_mixed(dataset: Mapping[str, Any]) -> bool:
    return any(
        issubclass(dataset_class(each), MixedDataset)
        for part in wrapped(dataset)
        for each in each_dataset(part)
    )


def _resolve_evaluator(config: Config, name: str, classes: Sequence[str]) -> None:
    """Let metrics take their truths from the dataset, which has the student's classes."""
    evaluators = config.get(f'{name}_evaluator')
    if evaluators is None:
        return
    dataset = (config.get(f'{name}_dataloader') or {}).get('dataset')
    metrics = metrics_by_key(f'{name}_evaluator', evaluators)
    for key, metric in metrics.items():
        resolve_metric(key, metric, dataset, classes)
    if dataset is not None:
        if all(metric.get('format_only') for metric in metrics.values()):
            _leave_unlabeled(dataset)
        _pass_instances_on(dataset)
        # A metric with a file of its own needs that file's ids.
        if all(metric.get('ann_file') is None for metric in metrics.values()):
            _number_images(dataset)


def _leave_unlabeled(dataset: Any) -> None:
    """Let a dataset have no labels: nothing is scored on it."""
    for each in each_dataset(dataset):
        if issubclass(dataset_class(each), ClassSpaceDataset):
            each.needs_labels = False


def _number_images(dataset: Any) -> None:
    """Give the images of several datasets distinct ids, by which CocoMetric tells them apart."""
    found = [
        each for each in each_dataset(dataset) if issubclass(dataset_class(each), RelabeledDataset)
    ]
    if len(found) > 1:
        for number, each in enumerate(found):
            each.img_ids = [number, len(found)]


def _pass_instances_on(dataset: Any) -> None:
    for each in each_dataset(dataset):
        _pack_instances(each.get('pipeline') or ())


def _pack_instances(steps: Any) -> None:
    for step in steps:
        if isinstance(step, (list, tuple)):
            _pack_instances(step)
        elif type_name(step) == 'PackDetInputs':
            step['meta_keys'] = (*dict.fromkeys((*step.get('meta_keys', _META_KEYS), 'instances')),)
        elif type_name(step) == 'TestTimeAug':
            _pack_instances(step['transforms'])


def _resolve_tta(config: Config) -> None:
    """Let ``test.py --tta`` pass the truths on, too.

    Where a config has no pipeline for it, MMDetection makes up one that does not: this is the
    same, flips, with them.
    """
    if config.get('tta_pipeline') is None and config.get('test_dataloader') is not None:
        found = pipelines('test_dataloader.dataset', config.test_dataloader.dataset)
        steps: list[Any] = next(iter(found.values()), [])
        if not steps or type_name(steps[-1]) != 'PackDetInputs':
            return
        flips = [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)]
        pack = dict(type='PackDetInputs', meta_keys=_META_KEYS)
        config.tta_pipeline = [
            *copy.deepcopy(steps[:-1]),
            dict(type='TestTimeAug', transforms=[flips, [pack]]),
        ]
    _pack_instances(config.get('tta_pipeline') or ())


def _add_hooks(config: Config, composition: Composition, card: Any) -> None:
    hooks = list(config.get('custom_hooks') or ())
    rows = next((hook for hook in hooks if _is(hook, ROWS_HOOK)), None)
    if rows is None:
        rows = ConfigDict(type=ROWS_HOOK)
        hooks.append(rows)
    rows.classes = list(composition.class_space.classes)
    rows.aliases = composition.resolved['class_space'].get('aliases', [])
    for hook in hooks:
        if _is(hook, AVERAGE_HOOK):
            hook.class_space = composition.resolved['class_space']
            if hook.get('teachers') is None:
                hook.teachers = {
                    name: without_weight(each)
                    for name, each in composition.resolved['teachers'].items()
                }
    for name in (SUMMARY_HOOK, UNCERTAIN_HOOK):
        if not any(_is(hook, name) for hook in hooks):
            hooks.append(ConfigDict(type=name))
    # What it holds is checked where a run begins.
    if isinstance(card, Mapping) and not any(_is(hook, CARD_HOOK) for hook in hooks):
        hooks.append(ConfigDict(type=CARD_HOOK, **card))
    config.custom_hooks = hooks


def _is(hook: Mapping[str, Any], name: str) -> bool:
    """Return whether a hook's config is of one of ours, by name or by class."""
    return type_name(hook) == name.removeprefix('mmcompose.')
