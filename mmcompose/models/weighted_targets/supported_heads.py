"""Which heads weights, ignore boxes and class masks reach, by the methods they have."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmdet.models.dense_heads import (
    ATSSVLFusionHead,
    FreeAnchorRetinaHead,
    PISARetinaHead,
    PISASSDHead,
    TOODHead,
)
from mmdet.models.roi_heads import (
    BaseRoIHead,
    CascadeRoIHead,
    DoubleHeadRoIHead,
    DynamicRoIHead,
    StandardRoIHead,
)
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmengine.registry import Registry

# Outputs of a head that are (B, A * K, H, W): A priors at each place of a level.
OUTPUTS = ('cls_scores', 'bbox_preds', 'objectnesses', 'centernesses')
# Of the same form, but their loss does not go by what the assigner says, or mixes priors, or has
# a column for each token of a text.
_OTHER_LOSSES = (
    ATSSVLFusionHead,
    FreeAnchorRetinaHead,
    PISARetinaHead,
    PISASSDHead,
    TOODHead,
)
# Others have losses beside those of boxes and masks.
_ROI_HEADS = (StandardRoIHead, CascadeRoIHead, DoubleHeadRoIHead, DynamicRoIHead)
_HEADS = ('bbox_head', 'rpn_head', 'roi_head', 'mask_head', 'query_head')


def not_reached(cls: Any, box_heads: Sequence[Any] = ()) -> str | None:
    """Say why weights of labels do not reach a head's loss, or return None where they do.

    Args:
        cls: Class of a one-stage head, of a region proposal head or of a RoI head.
        box_heads: Classes of a RoI head's own box heads.
    """
    if inspect.isclass(cls) and issubclass(cls, _OTHER_LOSSES):
        return f'{cls.__name__} has a loss of its own that does not go by assigned priors'
    if inspect.isclass(cls) and issubclass(cls, BaseRoIHead):
        if cls not in _ROI_HEADS:
            known = ', '.join(each.__name__ for each in _ROI_HEADS)
            return f'{cls.__name__} is none of {known}'
        others = [each for each in box_heads if getattr(each, 'loss', None) is not BBoxHead.loss]
        return f'its bbox_head {_name(others[0])} has a loss of its own' if others else None
    outputs = _parameters(cls, 'loss_by_feat')
    given = [name for name in outputs if not name.startswith('batch_')]
    targets = _parameters(cls, '_get_targets_single')
    if not given or 'cls_scores' not in given or not set(given) <= set(OUTPUTS):
        return f'{_name(cls)} has outputs that are not those of priors on feature maps'
    has_priors = {'flat_anchors', 'priors'} & set(targets)
    if not has_priors or not {'gt_instances', 'img_meta'} <= set(targets):
        return f'{_name(cls)} has no target assignment of its own for each image'
    return None


def unreached_heads(model: Mapping[str, Any], registry: Registry) -> list[str]:
    """Return a line ``key: why`` for each head of a model's config that is not reached.

    Args:
        model: The ``model`` of an MMDet config.
        registry: Where types are looked up.
    """
    lines = []
    found = list(_heads(model, 'model'))
    for key, head in found:
        own = head.get('bbox_head') or []
        box_heads = own if isinstance(own, (list, tuple)) else [own]
        reason = not_reached(_class(head, registry), [_class(each, registry) for each in box_heads])
        if reason is not None:
            lines.append(f'{key}.type: {reason}')
    return lines if found else [f'model.type: {model["type"]} has no head of its own']


def _class(config: Mapping[str, Any], registry: Registry) -> Any:
    kind = config['type']
    return registry.get(kind) if isinstance(kind, str) else kind


def _heads(model: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in _HEADS:
        if isinstance(model.get(name), Mapping) and 'type' in model[name]:
            yield f'{key}.{name}', model[name]
    # A semi-supervised detector holds another.
    if isinstance(model.get('detector'), Mapping):
        yield from _heads(model['detector'], f'{key}.detector')


def _parameters(cls: Any, method: str) -> list[str]:
    found = getattr(cls, method, None)
    return [] if found is None else [name for name in inspect.signature(found).parameters][1:]


def _name(cls: Any) -> str:
    return getattr(cls, '__name__', str(cls))
