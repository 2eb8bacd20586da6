"""Which heads weights, ignore boxes and class masks reach, by the methods they have."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmdet.models.dense_heads import (
    ATSSVLFusionHead,
    CondInstBboxHead,
    FCOSHead,
    FoveaHead,
    PISARetinaHead,
    PISASSDHead,
    RepPointsHead,
    SSDHead,
    TOODHead,
    VFNetHead,
    YOLOV3Head,
)
from mmdet.models.roi_heads import (
    BaseRoIHead,
    CascadeRoIHead,
    DoubleHeadRoIHead,
    DynamicRoIHead,
    GridRoIHead,
    HybridTaskCascadeRoIHead,
    MaskScoringRoIHead,
    PointRendRoIHead,
    SparseRoIHead,
    StandardRoIHead,
    TridentRoIHead,
)
from mmdet.models.roi_heads.bbox_heads import BBoxHead, SABLHead
from mmengine.registry import Registry

from mmcompose.models.weighted_targets.assigned import (
    PRIORS,
    AlignedTargets,
    AssignedTargets,
    MinedTargets,
)
from mmcompose.models.weighted_targets.bags import AutoAssignTargets, FreeAnchorTargets
from mmcompose.models.weighted_targets.feature_maps import OF_TEACHERS, OUTPUTS
from mmcompose.models.weighted_targets.heatmaps import CenterNetTargets, CenterNetUpdateTargets
from mmcompose.models.weighted_targets.instance_masks import InstanceMaskTargets
from mmcompose.models.weighted_targets.mask_queries import MaskQueryTargets
from mmcompose.models.weighted_targets.points import PointTargets, PositivePointTargets
from mmcompose.models.weighted_targets.queries import QueryTargets
from mmcompose.models.weighted_targets.reppoints import RepPointsTargets
from mmcompose.models.weighted_targets.yolov3 import YOLOV3Targets
from mmcompose.registry import class_of

# Of the form of priors on feature maps, but their loss does not go by what the assigner returns, or
# has a column for each token of a text.
_OTHER_LOSSES = (ATSSVLFusionHead, PISARetinaHead, PISASSDHead)
_BY_SHAPE = (
    QueryTargets,
    MaskQueryTargets,
    AutoAssignTargets,
    FreeAnchorTargets,
    CenterNetTargets,
    CenterNetUpdateTargets,
    InstanceMaskTargets,
)
# Others have losses beside those of boxes and masks.
_ROI_HEADS = (
    StandardRoIHead,
    CascadeRoIHead,
    DoubleHeadRoIHead,
    DynamicRoIHead,
    GridRoIHead,
    HybridTaskCascadeRoIHead,
    MaskScoringRoIHead,
    PointRendRoIHead,
    SparseRoIHead,
    TridentRoIHead,
)
_ROI_LOSSES = (BBoxHead.loss, SABLHead.loss)
_HEADS = ('bbox_head', 'rpn_head', 'roi_head', 'mask_head', 'query_head', 'panoptic_head')


def adapter_of(cls: Any) -> Any:
    """Return the class that weighs the loss of a class of one-stage heads, or None."""
    if not inspect.isclass(cls) or issubclass(cls, _OTHER_LOSSES):
        return None
    for adapter in _BY_SHAPE:
        if adapter.serves(cls):
            return adapter
    if getattr(cls, 'loss_by_feat', None) is CondInstBboxHead.loss_by_feat:
        return PositivePointTargets
    if getattr(cls, 'loss_by_feat', None) is YOLOV3Head.loss_by_feat:
        return YOLOV3Targets
    if getattr(cls, 'loss_by_feat', None) is RepPointsHead.loss_by_feat:
        return RepPointsTargets
    if _wrong_outputs(cls):
        return None
    if issubclass(cls, TOODHead):
        return AlignedTargets
    if getattr(cls, 'loss_by_feat_single', None) is SSDHead.loss_by_feat_single:
        return MinedTargets
    if getattr(cls, 'loss_by_feat', None) in (FCOSHead.loss_by_feat, FoveaHead.loss_by_feat):
        return PointTargets
    targets = set(_parameters(cls, '_get_targets_single'))
    assigned = targets & set(PRIORS) and {'gt_instances', 'img_meta'} <= targets
    return AssignedTargets if assigned or issubclass(cls, VFNetHead) else None


def not_reached(cls: Any, box_heads: Sequence[Any] = ()) -> str | None:
    """Return why weights of labels do not reach a head's loss, or None where they do.

    Args:
        cls: Class of a one-stage head, of a region proposal head or of a RoI head.
        box_heads: Classes of a RoI head's own box heads.
    """
    if _is_roi_head(cls):
        if cls not in _ROI_HEADS:
            known = ', '.join(each.__name__ for each in _ROI_HEADS)
            return f'{cls.__name__} is none of {known}'
        others = [each for each in box_heads if getattr(each, 'loss', None) not in _ROI_LOSSES]
        return f'its bbox_head {_name(others[0])} has a loss of its own' if others else None
    if adapter_of(cls) is not None:
        return None
    if inspect.isclass(cls) and issubclass(cls, _OTHER_LOSSES):
        return f'{cls.__name__} has a loss of its own that does not go by assigned priors'
    if _wrong_outputs(cls):
        return f'{_name(cls)} has outputs that are not those of priors on feature maps'
    return f'{_name(cls)} has no target assignment of its own for each image'


def _is_roi_head(cls: Any) -> bool:
    return inspect.isclass(cls) and issubclass(cls, BaseRoIHead)


def _wrong_outputs(cls: Any) -> bool:
    given = [
        name for name in _parameters(cls, 'loss_by_feat')
        if not name.startswith('batch_') and name not in OF_TEACHERS
    ]  # fmt: skip
    return not given or 'cls_scores' not in given or not set(given) <= set(OUTPUTS)


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
        box_classes = [class_of(each, registry) for each in box_heads]
        cls = class_of(head, registry)
        if inspect.isclass(cls) and not hasattr(cls, 'loss_by_feat') and not _is_roi_head(cls):
            # Sparse R-CNN's proposals are learned by its second stage.
            continue
        reason = not_reached(cls, box_classes)
        if reason is not None:
            lines.append(f'{key}.type: {reason}')
    return lines if found else [f'model.type: {model["type"]} has no head of its own']


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
