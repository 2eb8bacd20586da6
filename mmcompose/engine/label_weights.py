"""Let what is known of each label reach the model: wire the training pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from mmcompose.datasets import inner_datasets
from mmcompose.registry import type_name
from mmcompose.utils import UserError, fault
from mmcompose.utils.config_tree import walk

LOAD = 'mmcompose.LoadLabelWeights'
PACK = 'mmcompose.PackDetInputs'


def carry_weights(config: Config) -> None:
    """Load weights after each ``LoadAnnotations``, and pack them with each ``PackDetInputs``.

    In every pipeline of the training set, of what it wraps, and in those that
    ``PipelineSwitchHook`` puts in their place.

    Args:
        config: Changed in place.

    Raises:
        UserError: If annotations are loaded but packed by another transform than
            ``PackDetInputs``, which could not take labels and weights apart again; or if a
            transform reads or changes labels, or makes boxes anew.
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
        step = {key: _wired(each) for key, each in value.items()}
        return {**step, 'type': PACK} if _is(value, 'PackDetInputs') else step
    return value


def _is(step: Any, name: str) -> bool:
    return isinstance(step, Mapping) and 'type' in step and type_name(step) == name


def _check(pipelines: Mapping[str, Any]) -> None:
    steps = [
        (key, step)
        for where, pipeline in pipelines.items()
        for key, step in walk(pipeline, where)
        if 'type' in step
    ]
    for key, step in steps:
        if (reason := _loses_weights(type_name(step), step)) is not None:
            raise UserError(fault(key, f'{type_name(step)} {reason}'))
    names = [type_name(step) for _, step in steps]
    if {'LoadAnnotations', 'LoadLabelWeights'} & {*names} and 'PackDetInputs' not in names:
        raise UserError(
            fault(
                next(iter(pipelines)),
                'loads annotations and has no PackDetInputs, which hands a label and its weight '
                f'over to the model; it ends with {names[-1]!r}',
            )
        )


def _loses_weights(name: str, step: Mapping[str, Any]) -> str | None:
    """Return why labels do not come through one of MMDet's transforms as they are, or None."""
    if name == 'InstaBoost':
        return 'makes boxes anew before they are loaded, without the weights of labels'
    if name == 'RandomSamplingNegPos':
        return 'reads labels, which carry weights in a training pipeline, as words of a text'
    if name == 'Albu':
        parameters = step.get('bbox_params') or {}
        fields = parameters.get('label_fields') or ()
        if 'gt_bboxes_labels' in fields and 'filter_lost_elements' not in parameters:
            return (
                'hands gt_bboxes_labels to albumentations, which may round what they carry; set '
                'filter_lost_elements=True in its bbox_params'
            )
    return None
