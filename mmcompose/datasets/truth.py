"""The truth of a labeled dataset, as Detections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmcompose.structures import Detections


def truth_of(info: Mapping[str, Any]) -> Detections:
    """Return the true boxes of one data info of MMDet, with score 1.

    Args:
        info: With ``instances``; a crowd's or a difficult one's ``ignore_flag`` becomes ``ignore``.
    """
    instances = info['instances']
    return Detections(
        np.array([each['bbox'] for each in instances], np.float32).reshape(-1, 4),
        np.ones(len(instances), np.float32),
        np.array([each['bbox_label'] for each in instances], np.int64),
        ignore=np.array([bool(each['ignore_flag']) for each in instances], np.bool_),
    )
