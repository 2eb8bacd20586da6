"""From the arrays that exported models give to detections in pixels of the model's input."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, get_type_hints

import numpy as np
from numpy.typing import NDArray

from mmcompose.structures import Detections
from mmcompose.teachers.dotted_path import load_function
from mmcompose.teachers.output_columns import (
    Outputs,
    check_labels,
    check_scores,
    labels_like,
    one_output,
    output_of_shape,
    refuse_shape,
    scores_and_labels,
)
from mmcompose.utils import UserError, check_keys, check_types, fault, problem

# x1 y1 x2 y2 score label.
_ROW = 6
# The logarithm of a box's sides in grid cells; e^20 is half a billion.
_LARGEST_LOG = 20

# (outputs by name, (width, height) of the input, number of classes) -> one a picture.
Decoder: TypeAlias = Callable[[Outputs, tuple[int, int], int], list[Detections]]


def make_decoder(decode: str | Mapping[str, Any]) -> Decoder:
    """Return the decoder that a config names.

    Args:
        decode: 'mmdeploy', 'yolox', 'ultralytics', 'detr', or the dotted path of a function of
            the same form; or a dict of such a ``type`` and further arguments, e.g.
            ``dict(type='yolox', score_thr=0.1)``.

    Raises:
        UserError: If there is none of that name or it takes no such argument.
    """
    arguments = {'type': decode} if isinstance(decode, str) else dict(decode)
    name = str(arguments.pop('type', None))
    function = DECODERS.get(name)
    if function is None and '.' in name:
        function = load_function('decode', name)
    if function is None:
        known = ', '.join(DECODERS)
        expected = f'is no decoder (expected: {known}, or the dotted path of a function)'
        raise UserError(problem('decode', name, expected, DECODERS))
    options = _options(function, name)
    if problems := check_keys('decode', arguments, options):
        raise UserError(*problems)
    if problems := check_types('decode', arguments, options):
        raise UserError(*problems)
    return partial(function, **arguments)


def mmdeploy(
    outputs: Outputs, input_size: tuple[int, int], num_classes: int, score_thr: float = 0.0
) -> list[Detections]:
    """``dets`` (B, N, 5) x1 y1 x2 y2 score, and ``labels`` (B, N), as MMDeploy exports them."""
    dets = output_of_shape(outputs, 'dets', 5)
    labels = labels_like(outputs, dets)
    check_scores(dets[..., 4], 'the fifth column of dets')
    check_labels(labels, 'the output labels')
    return [_over(score_thr, d[:, :4], d[:, 4], n) for d, n in zip(dets, labels, strict=True)]


def detr(
    outputs: Outputs, input_size: tuple[int, int], num_classes: int, score_thr: float = 0.0
) -> list[Detections]:
    """``labels`` (B, N), ``boxes`` (B, N, 4) xyxy, ``scores`` (B, N), as RT-DETR exports them."""
    boxes = output_of_shape(outputs, 'boxes', 4)
    scores, labels = scores_and_labels(outputs, boxes)
    check_scores(scores, 'the output scores')
    check_labels(labels, 'the output labels')
    arrays = zip(boxes, scores, labels, strict=True)
    return [_over(score_thr, *each) for each in arrays]


def yolox(
    outputs: Outputs,
    input_size: tuple[int, int],
    num_classes: int,
    score_thr: float = 0.01,
    iou_threshold: float = 0.65,
    strides: Sequence[int] = (8, 16, 32),
) -> list[Detections]:
    """(B, N, 5 + C) before decoding: offsets in grid cells, log sizes, objectness, class scores.

    As YOLOX (Ge et al. 2021) exports it and MMDet decodes it.
    """
    raw = one_output(outputs)
    width, height = input_size
    priors = np.concatenate([_grid(width // s, height // s, s) for s in strides])
    if raw.ndim != 3 or raw.shape[1:] != (len(priors), 5 + num_classes):
        refuse_shape(raw, f'(batch, {len(priors)}, {5 + num_classes})', num_classes)
    check_scores(raw[..., 4:], 'objectness and class scores')
    if raw[..., 2:4].max(initial=0) > _LARGEST_LOG:
        raise UserError(
            fault(
                'decode',
                f'sizes up to {raw[..., 2:4].max():g} are no logarithms: the model is exported '
                'with its boxes decoded',
            )
        )
    centers = raw[..., :2] * priors[:, 2:] + priors[:, :2]
    sizes = np.exp(raw[..., 2:4]) * priors[:, 2:]
    boxes = np.concatenate([centers - sizes / 2, centers + sizes / 2], axis=2)
    labels = raw[..., 5:].argmax(axis=2)
    scores = raw[..., 5:].max(axis=2) * raw[..., 4]
    found = [_over(score_thr, *arrays) for arrays in zip(boxes, scores, labels, strict=True)]
    return [_suppressed(one, iou_threshold, None) for one in found]


def ultralytics(
    outputs: Outputs,
    input_size: tuple[int, int],
    num_classes: int,
    score_thr: float = 0.01,
    iou_threshold: float = 0.7,
    max_per_img: int = 300,
) -> list[Detections]:
    """(B, 4 + C, N) cx cy w h and class scores, or (B, N, 6) x1 y1 x2 y2 score label.

    The first is what YOLOv8 and its successors export, the second the same end to end, after
    suppression; other models that decode inside give the second too.
    """
    raw = one_output(outputs)
    # As many rows as an export before suppression has columns may be end to end, too.
    if raw.ndim == 3 and raw.shape[1] == 4 + num_classes and raw.shape[2] != _ROW:
        raw = raw.transpose(0, 2, 1)
        check_scores(raw[..., 4:], 'class scores')
        boxes = np.concatenate(
            [raw[..., :2] - raw[..., 2:4] / 2, raw[..., :2] + raw[..., 2:4] / 2], axis=2
        )
        best = (raw[..., 4:].max(axis=2), raw[..., 4:].argmax(axis=2))
        found = [_over(score_thr, *arrays) for arrays in zip(boxes, *best, strict=True)]
        return [_suppressed(one, iou_threshold, max_per_img) for one in found]
    if raw.ndim != 3 or raw.shape[2] != _ROW:
        expected = f'(batch, {4 + num_classes}, boxes) or (batch, boxes, {_ROW})'
        refuse_shape(raw, expected, num_classes)
    # Before rows of a low score are left out: a label taken for a score may be 0.
    hint = ': is it label before score, or cx cy w h objectness class, as YOLOv5 has one class?'
    check_labels(raw[..., 5], 'the sixth column', hint)
    check_scores(raw[..., 4], 'the fifth column')
    return [_over(score_thr, rows[:, :4], rows[:, 4], rows[:, 5]) for rows in raw]


DECODERS: dict[str, Callable[..., list[Detections]]] = {
    'mmdeploy': mmdeploy,
    'yolox': yolox,
    'ultralytics': ultralytics,
    'detr': detr,
}


def _options(function: Callable[..., Any], name: str) -> dict[str, Any]:
    """Return what a decoder takes beside the outputs, their size and the count of classes."""
    try:
        _, _, _, *options = inspect.signature(function).parameters
    except ValueError as error:  # fewer, or one written in C that does not show it
        expected = 'takes no outputs, input size and number of classes'
        raise UserError(problem('decode', name, expected)) from error
    hints = get_type_hints(function)
    return {option: hints.get(option, Any) for option in options}


def _grid(columns: int, rows: int, stride: int) -> NDArray[np.float32]:
    """Return ``(rows * columns, 4)``: x, y of each cell's corner, and its stride twice."""
    y, x = np.mgrid[:rows, :columns]
    cells = np.stack([x, y, np.ones_like(x), np.ones_like(x)], axis=-1).reshape(-1, 4)
    return (cells * stride).astype(np.float32)


def _over(
    score_thr: float, boxes: NDArray[Any], scores: NDArray[Any], labels: NDArray[Any]
) -> Detections:
    # Strictly over: rows that only fill an array up have a score of 0, some a label of -1.
    keep = scores > score_thr
    return Detections.from_arrays(boxes[keep], scores[keep], labels[keep])


def _suppressed(found: Detections, iou_threshold: float, most: int | None) -> Detections:
    """Non-maximum suppression in each class, by MMCV's own operator."""
    import torch
    from mmcv.ops import batched_nms

    if not len(found):
        return found
    arrays = (torch.from_numpy(array) for array in (found.boxes, found.scores, found.labels))
    _, kept = batched_nms(*arrays, {'type': 'nms', 'iou_threshold': iou_threshold})
    return found[kept.numpy()[:most]]
