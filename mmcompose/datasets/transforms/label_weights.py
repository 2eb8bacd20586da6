"""Carry each box's weight and score through MMDet's transforms, to the model.

MMDet's transforms crop, flip, mix and drop boxes, and know five keys of them; whatever else is
known of a box is lost: ``score`` is neither loaded nor packed. But they carry
``gt_bboxes_labels`` along row by row and look at none; the few that do otherwise are refused by
``mmcompose.engine.label_weights``. So a label travels with what belongs to it in its own upper
bits, from :class:`LoadLabelWeights` to :class:`PackDetInputs`:

======  ==============================================================
bits    content
======  ==============================================================
0-15    the class index
16-31   the score, in steps of 1/65535
32-62   the weight, the bits of its float32 without the sign
63      set: marks such a label, since a plain one is not negative
======  ==============================================================
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import PackDetInputs as MMDetPackDetInputs
from numpy.typing import ArrayLike, NDArray

from mmcompose.registry import TRANSFORMS
from mmcompose.utils import UserError, problem

MAX_CLASSES = 2**16
_STEPS = 2**16 - 1


def encode_labels(labels: ArrayLike, weights: ArrayLike, scores: ArrayLike) -> NDArray[np.int64]:
    """Put weights and scores into the upper bits of labels.

    Args:
        labels: ``(N,)`` class indices.
        weights: ``(N,)`` of at least 0; kept as float32.
        scores: ``(N,)`` in [0, 1]; kept to 1/65535.

    Returns:
        ``(N,)`` int64, all negative.

    Raises:
        UserError: If a label is not in [0, 65536), for which there are bits.
    """
    signed_labels = np.asarray(labels, np.int64)
    if len(signed_labels) and not 0 <= signed_labels.min() <= signed_labels.max() < MAX_CLASSES:
        expected = f'is too many: box weights travel with labels of up to {MAX_CLASSES} classes'
        raise UserError(problem('num_classes', int(signed_labels.max()) + 1, expected))
    low = signed_labels.astype(np.uint64)
    steps = np.rint(np.asarray(scores, np.float64) * _STEPS).astype(np.uint64)
    sign_and_weight = (-np.abs(np.asarray(weights, np.float32))).view(np.uint32).astype(np.uint64)
    codes = low | (steps << np.uint64(16)) | (sign_and_weight << np.uint64(32))
    signed: NDArray[np.int64] = codes.view(np.int64)
    return signed


def decode_labels(
    codes: ArrayLike,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Take labels, weights and scores apart; a plain label has weight and score 1.

    Args:
        codes: ``(N,)`` int64 of :func:`encode_labels`, or plain labels.

    Returns:
        Labels int64, weights float32 and scores float32, each ``(N,)``.
    """
    signed = np.asarray(codes, np.int64)
    plain = signed >= 0
    bits = signed.view(np.uint64)
    labels = np.where(plain, signed, (bits & np.uint64(0xFFFF)).astype(np.int64))
    scores = ((bits >> np.uint64(16)) & np.uint64(0xFFFF)).astype(np.float32) / np.float32(_STEPS)
    weights = (bits >> np.uint64(32)).astype(np.uint32).view(np.float32)
    one = np.float32(1)
    return labels, np.where(plain, one, np.abs(weights)), np.where(plain, one, scores)


@TRANSFORMS.register_module()
class LoadLabelWeights(BaseTransform):
    """Load each instance's ``weight`` and ``score``; stands right after ``LoadAnnotations``.

    ``resolve`` puts it there. An instance that lacks one has 1. From here to
    :class:`PackDetInputs`, ``gt_bboxes_labels`` are what :func:`encode_labels` returns.

    Raises:
        UserError: If a weight is no number of at least 0.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Put them into the labels."""
        labels = results.get('gt_bboxes_labels')
        if labels is None:
            return results
        instances = results['instances']
        assert len(instances) == len(labels), 'LoadLabelWeights stands right after LoadAnnotations'
        weights = np.array([instance.get('weight', 1.0) for instance in instances], np.float32)
        if not (np.isfinite(weights) & (weights >= 0)).all():
            path = results.get('img_path')
            raise UserError(
                problem(f'instances of {path}', weights.min(), 'is no weight of at least 0')
            )
        scores = [instance.get('score', 1.0) for instance in instances]
        results['gt_bboxes_labels'] = encode_labels(labels, weights, scores)
        return results


@TRANSFORMS.register_module()
class PackDetInputs(MMDetPackDetInputs):
    """MMDet's, and beside each box its weight and score.

    ``gt_instances`` and ``ignored_instances`` have ``weights`` and ``scores``, ``(N,)`` float32,
    where one of the image differs from 1: so no loss has to ask a GPU whether one does. The
    sample's metainfo has ``covered_classes`` where the image lists the classes whose labels are
    complete. ``resolve`` puts it in the place of MMDet's in the training pipelines.
    """

    mapping_table: ClassVar = {
        **MMDetPackDetInputs.mapping_table,
        'gt_weights': 'weights',
        'gt_scores': 'scores',
    }

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Take labels, weights and scores apart, then pack."""
        if 'gt_bboxes_labels' in results:
            labels, weights, scores = decode_labels(results['gt_bboxes_labels'])
            more = {'gt_weights': weights, 'gt_scores': scores}
            differing = {name: each for name, each in more.items() if (each != 1).any()}
            results = {**results, 'gt_bboxes_labels': labels, **differing}
        packed: dict[str, Any] = super().transform(results)
        covered = results.get('covered_classes')
        if covered is not None:
            packed['data_samples'].set_metainfo({'covered_classes': tuple(covered)})
        return packed
