"""Numbers of 16 bits into those of 32 and back, by OpenCV, which is many times faster at it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def in_single(half: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return the same numbers as float32, of any shape."""
    if not half.size:
        return half.astype(np.float32)
    rows = np.ascontiguousarray(half).reshape(len(half), -1)
    return np.asarray(cv2.convertFp16(rows.view(np.int16)), np.float32).reshape(half.shape)


def in_half(single: NDArray[np.float32]) -> NDArray[np.float16]:
    """Return the nearest numbers as float16, of any shape; halves go to the even one."""
    if not single.size:
        return single.astype(np.float16)
    rows = np.ascontiguousarray(single).reshape(len(single), -1)
    return np.asarray(cv2.convertFp16(rows)).view(np.float16).reshape(single.shape)
