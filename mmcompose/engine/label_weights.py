"""Let what is known of each label reach the model: wire the training pipelines."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mmdet.registry import TRANSFORMS
from mmengine.config import Config

from mmcompose.datasets import inner_datasets
from mmcompose.datasets.transforms import PackDetInputs
from mmcompose.registry import class_of, is_kind, type_name
from mmcompose.utils import UserError, doubt, fault, problem
from mmcompose.utils.config_tree import walk

LOAD = 'mmcompose.LoadLabelWeights'
PACK = 'mmcompose.PackDetInputs'
# Whose transforms only carry labels along, but for those that are refused by name.
_KNOWN = ('mmcv', 'mmdet', 'mmengine', 'mmcompose', 'builtins', 'abc')


def carry_weights(config: Config) -> None:
    """Load weights after each ``LoadAnnotations``, and pack them with each ``PackDetInputs``.

    In every pipeline of the training set, of what it wraps, and in those that
    ``PipelineSwitchHook`` puts in their place. A transform that derives from ``LoadAnnotations``
    is one.

    Args:
        config: Changed in place.

    Raises:
        UserError: If annotations are loaded but packed by another transform than
            ``PackDetInputs`` or one that derives from :class:`PackDetInputs`, which could not take
            labels and weights apart again; if a transform reads or changes labels, or makes
            boxes anew; or if one of a user's own may, which may be allowed.
    """
    loader = config.get('train_dataloader')
    if loader is None:
        return
    inner = inner_datasets('train_dataloader.dataset', loader.dataset, only_sources=True)
    owners = [(key, each) for key, each in inner if each.get('pipeline')]
    # Before anything is put between: keys are those of the file.
    _check({f'{key}.pipeline': owner.pipeline for key, owner in owners})
    for _, owner in owners:
        owner.pipeline = _wired(owner.pipeline)
    for number, hook in enumerate(config.get('custom_hooks') or ()):
        if hook.get('switch_pipeline'):
            _check({f'custom_hooks[{number}].switch_pipeline': hook.switch_pipeline})
            hook.switch_pipeline = _wired(hook.switch_pipeline)


def _wired(value: Any) -> Any:
    """Return transforms, or whatever holds some, with weights loaded and packed."""
    if isinstance(value, (list, tuple)):
        wired: list[Any] = []
        for number, each in enumerate(value):
            wired.append(_wired(each))
            loaded = any(_is(after, 'LoadLabelWeights') for after in value[number + 1 : number + 2])
            if _is(each, 'LoadAnnotations') and not loaded:
                wired.append({'type': LOAD})
        return tuple(wired) if isinstance(value, tuple) else wired
    if isinstance(value, Mapping):
        # Its other values stay as they are: classes that a config imports can then be dumped.
        step: Any = copy.copy(value)
        for key, each in value.items():
            if isinstance(each, (list, tuple, Mapping)):
                step[key] = _wired(each)
        if 'type' in value and type_name(value) == 'PackDetInputs':
            step['type'] = PACK
        return step
    return value


def _is(step: Any, name: str) -> bool:
    return is_kind(step, name, TRANSFORMS)


def _packs_weights(step: Mapping[str, Any]) -> bool:
    cls = class_of(step, TRANSFORMS)
    own = isinstance(cls, type) and issubclass(cls, PackDetInputs)
    return own or type_name(step) == 'PackDetInputs'


def _check(pipelines: Mapping[str, Any]) -> None:
    steps = [
        (key, step)
        for where, pipeline in pipelines.items()
        for key, step in walk(pipeline, where)
        if 'type' in step
    ]
    for key, step in steps:
        if (reason := _loses_weights(step)) is not None:
            raise UserError(fault(key, f'{type_name(step)} {reason}'))
    loads = any(_is(step, 'LoadAnnotations') or _is(step, 'LoadLabelWeights') for _, step in steps)
    for key, step in steps:
        if loads and _may_read_codes(step):
            expected = (
                'handles gt_bboxes_labels, which carry weights between LoadAnnotations and '
                'PackDetInputs; to read classes it takes decode_labels of '
                'mmcompose.datasets.transforms (docs/uncertain_labels.md)'
            )
            doubt('label-codes', problem(f'{key}.type', type_name(step), expected))
    if loads and not any(_packs_weights(step) for _, step in steps):
        raise UserError(
            fault(
                next(iter(pipelines)),
                'loads annotations and has no PackDetInputs, which hands a label and its weight '
                f'over to the model; it ends with {type_name(steps[-1][1])!r}, and one of your own '
                'has to derive from mmcompose.datasets.transforms.PackDetInputs',
            )
        )


def _may_read_codes(step: Mapping[str, Any]) -> bool:
    """Return whether a user's own transform handles labels, and does not take them apart."""
    cls = class_of(step, TRANSFORMS)
    if not isinstance(cls, type) or _is(step, 'LoadAnnotations') or _packs_weights(step):
        return False
    sources = [_source(each) for each in cls.__mro__ if each.__module__.split('.')[0] not in _KNOWN]
    return any('gt_bboxes_labels' in each and 'decode_labels' not in each for each in sources)


def _source(cls: type) -> str:
    # One that was typed into a notebook or a shell may have none that can be looked at.
    with suppress(OSError, TypeError):
        return inspect.getsource(cls)
    return ''


def _loses_weights(step: Mapping[str, Any]) -> str | None:
    """Return why labels do not come through one of MMDet's transforms as they are, or None."""
    if _is(step, 'InstaBoost'):
        return 'makes boxes anew before they are loaded, without the weights of labels'
    if _is(step, 'RandomSamplingNegPos'):
        return 'reads labels, which carry weights in a training pipeline, as words of a text'
    if _is(step, 'Albu'):
        parameters = step.get('bbox_params') or {}
        fields = parameters.get('label_fields') or ()
        if 'gt_bboxes_labels' in fields and 'filter_lost_elements' not in parameters:
            return (
                'hands gt_bboxes_labels to albumentations, which may round what they carry; set '
                'filter_lost_elements=True in its bbox_params'
            )
    return None
