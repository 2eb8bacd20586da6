"""Non-maximum suppression as nodes at the end of an ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmcompose.utils import optional_package

BOXES, SCORES = 'boxes', 'scores'


def with_suppression(path: Path, iou_threshold: float, most: int) -> Any:
    """Return an ONNX model with suppression in each class after it.

    Its outputs are ``dets (1, most, 5)``, x1 y1 x2 y2 score in pixels of the input, the surest
    first, and ``labels (1, most)``, as MMDeploy exports them. Rows without a box have a score of 0.

    Args:
        path: A model with the outputs ``boxes (1, N, 4)`` and ``scores (1, classes, N)``.
        iou_threshold: Of two boxes of a class that overlap more, the surer stays.
        most: How many boxes a picture has at most.
    """
    onnx = optional_package('onnx', 'onnx', '--to')
    model = onnx.load(path)
    helper, kinds = onnx.helper, onnx.TensorProto
    constants = {
        'nms.most': np.array([most], np.int64),
        'nms.iou': np.array([iou_threshold], np.float32),
        'nms.score': np.array([0], np.float32),
        'nms.first': np.array([0], np.int64),
        'nms.class_and_box': np.array([1, 2], np.int64),
        'nms.class': np.array([1], np.int64),
        'nms.box': np.array([2], np.int64),
        'nms.one': np.array([1], np.int64),
        'nms.no_boxes': np.zeros((most, 4), np.float32),
        'nms.no_scores': np.zeros(most, np.float32),
        'nms.no_labels': np.zeros(most, np.int64),
    }
    values = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    node = helper.make_node
    nodes = [
        node(
            'NonMaxSuppression',
            [BOXES, SCORES, 'nms.most', 'nms.iou', 'nms.score'],
            ['nms.kept'],
        ),
        node('Gather', ['nms.kept', 'nms.class_and_box'], ['nms.pairs'], axis=1),
        node('Squeeze', [SCORES, 'nms.first'], ['nms.all_scores']),
        node('GatherND', ['nms.all_scores', 'nms.pairs'], ['nms.kept_scores']),
        node('Gather', ['nms.kept', 'nms.class'], ['nms.class_column'], axis=1),
        node('Squeeze', ['nms.class_column', 'nms.one'], ['nms.kept_labels']),
        node('Gather', ['nms.kept', 'nms.box'], ['nms.box_column'], axis=1),
        node('Squeeze', ['nms.box_column', 'nms.one'], ['nms.rows']),
        node('Squeeze', [BOXES, 'nms.first'], ['nms.all_boxes']),
        node('Gather', ['nms.all_boxes', 'nms.rows'], ['nms.kept_boxes'], axis=0),
        # Filled up, so that every picture has as many rows.
        node('Concat', ['nms.kept_scores', 'nms.no_scores'], ['nms.filled_scores'], axis=0),
        node('Concat', ['nms.kept_boxes', 'nms.no_boxes'], ['nms.filled_boxes'], axis=0),
        node('Concat', ['nms.kept_labels', 'nms.no_labels'], ['nms.filled_labels'], axis=0),
        node('TopK', ['nms.filled_scores', 'nms.most'], ['nms.top', 'nms.order']),
        node('Gather', ['nms.filled_boxes', 'nms.order'], ['nms.top_boxes'], axis=0),
        node('Gather', ['nms.filled_labels', 'nms.order'], ['nms.top_labels'], axis=0),
        node('Unsqueeze', ['nms.top', 'nms.one'], ['nms.top_column']),
        node('Concat', ['nms.top_boxes', 'nms.top_column'], ['nms.rows_of_five'], axis=1),
        node('Unsqueeze', ['nms.rows_of_five', 'nms.first'], ['dets']),
        node('Unsqueeze', ['nms.top_labels', 'nms.first'], ['labels']),
    ]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(values)
    del model.graph.output[:]
    model.graph.output.extend(
        [
            helper.make_tensor_value_info('dets', kinds.FLOAT, [1, most, 5]),
            helper.make_tensor_value_info('labels', kinds.INT64, [1, most]),
        ]
    )
    onnx.checker.check_model(model)
    return model
