"""Models of things and stuff: what of them makes boxes, and how many classes are things."""

from __future__ import annotations

from mmengine.config import Config

# What Panoptic FPN (Kirillov et al. 2019) has beside its Mask R-CNN.
_OF_STUFF = ('semantic_head', 'panoptic_fusion_head')


def num_things(config: Config) -> int | None:
    """Return how many of a panoptic model's classes are things, which come first, or None."""
    count: int | None = (config.model.get('panoptic_fusion_head') or {}).get('num_things_classes')
    return count


def asked_for_boxes(config: Config) -> Config:
    """Return a config whose model predicts instances, where it predicts or may predict segments.

    MaskFormer and its kin decide by their ``test_cfg`` what their masks are made into. Panoptic
    FPN is a Mask R-CNN whose instances are merged with stuff afterwards: the Mask R-CNN teaches.
    """
    model = config.model
    test_cfg = model.get('test_cfg') or {}
    if 'instance_on' in test_cfg:
        test_cfg.update(instance_on=True, panoptic_on=False, semantic_on=False)
    if model.get('type') in ('PanopticFPN', 'TwoStagePanopticSegmentor'):
        for name in _OF_STUFF:
            model.pop(name, None)
        model.type = 'MaskRCNN'
    return config
