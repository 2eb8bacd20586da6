"""Instance masks of one image, as COCO encodes them by run lengths; numpy and pycocotools.

A mask is the ``counts`` of COCO's compressed RLE as bytes: pixels down the columns, runs outside
and inside by turns, the first outside. Its size is the image's, and it has a pixel: None stands
for a box without a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pycocotools import mask as coco

from mmcompose.structures.finite import finite_number

# (N,) of bytes or None.
Masks: TypeAlias = NDArray[np.object_]


def no_masks(count: int) -> Masks:
    """Return ``(count,)`` None: boxes without a mask."""
    return np.full(count, None, np.object_)


def as_masks(given: Any, width: int, height: int) -> Masks:
    """Return masks of whatever a model or a file has them in.

    Args:
        given: ``(N, H, W)`` of bool or 0 and 1; or for each box what COCO calls its
            `segmentation` (polygons, or RLE, compressed or not), or None.
        width: Of the image, in pixels.
        height: Likewise.

    Returns:
        ``(N,)`` bytes, None where a mask has no pixel.

    Raises:
        ValueError: If a mask is none of these, as one of probabilities, or not of the image's size.
    """
    if isinstance(given, np.ndarray) and given.ndim == 3:
        if given.shape[1:] != (height, width) and len(given):
            shape = f'{given.shape[2]}x{given.shape[1]}'
            raise ValueError(f'masks are {shape} pixels, the image is {width}x{height}')
        if np.issubdtype(given.dtype, np.floating):
            inside = given[given != 0]
            # One number for all that is inside, which 0 and 255 are too.
            if (inside < 1).any() or (inside != inside[:1]).any():
                raise ValueError('masks hold other numbers than 0 and 1: they need a threshold')
        return encode_masks(given)
    return _filled([_of_segmentation(each, width, height) for each in given])


def encode_masks(bitmaps: ArrayLike) -> Masks:
    """Encode ``(N, H, W)`` bool masks; None where one has no pixel."""
    return _filled([_encode(bitmap) for bitmap in np.asarray(bitmaps, np.bool_)])


def decode_masks(masks: Masks, width: int, height: int) -> NDArray[np.bool_]:
    """Return ``(N, H, W)`` bool, all False for None."""
    bitmaps = np.zeros((len(masks), width, height), np.bool_)
    for bitmap, mask in zip(bitmaps, masks, strict=True):
        if mask is not None:
            lengths = np.diff(run_ends(mask), prepend=0)
            inside = np.arange(len(lengths)) % 2 == 1
            bitmap[:] = np.repeat(inside, lengths).reshape(width, height)
    return bitmaps.transpose(0, 2, 1)


def to_rle(mask: bytes, width: int, height: int) -> dict[str, Any]:
    """Return COCO's compressed RLE, ``{'size': [height, width], 'counts': str}``."""
    return {'size': [height, width], 'counts': mask.decode('ascii')}


def mask_area(mask: bytes) -> int:
    """Return how many pixels are inside."""
    return int(np.diff(run_ends(mask), prepend=0)[1::2].sum())


def mask_box(mask: bytes | None, width: int, height: int) -> tuple[float, float, float, float]:
    """Return the xyxy box around the pixels inside; one without area for None."""
    if mask is None:
        return (0.0, 0.0, 0.0, 0.0)
    x, y, w, h = coco.toBbox(to_rle(mask, width, height)).tolist()
    return (x, y, x + w, y + h)


def run_ends(mask: bytes) -> NDArray[np.int64]:
    """Return ``(R,)``: where each run ends, in pixels down the columns.

    What pycocotools' `rleFrString` does, which it shows to nobody.
    """
    groups = np.frombuffer(mask, np.uint8).astype(np.int64) - ord('0')
    last = groups & 0x20 == 0
    first = np.flatnonzero(np.append(True, last[:-1]))
    place = np.arange(len(groups)) - np.repeat(first, np.diff(first, append=len(groups)))
    lengths = np.add.reduceat((groups & 0x1F) << (5 * place), first)
    lengths -= (groups[last] >> 4 & 1) << (5 * (place[last] + 1))
    # From the fourth on, a run is coded by how much it differs from the last but one.
    for start in (1, 2):
        lengths[start::2] = lengths[start::2].cumsum()
    return lengths.cumsum()


def from_run_ends(ends: NDArray[np.int64], width: int, height: int) -> bytes | None:
    """Return the mask whose runs end there, None if it has no pixel."""
    lengths = np.diff(ends, prepend=0)
    if not lengths[1::2].any():
        return None
    rle = {'size': [height, width], 'counts': lengths.tolist()}
    return bytes(coco.frPyObjects(rle, height, width)['counts'])


def _filled(masks: Sequence[bytes | None]) -> Masks:
    filled = no_masks(len(masks))
    filled[:] = masks
    return filled


def _encode(bitmap: NDArray[np.bool_]) -> bytes | None:
    """Encode one mask; looks at its bounding box alone, for pictures are large."""
    rows, columns = (np.flatnonzero(bitmap.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    height, width = bitmap.shape
    part = bitmap[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # A pixel outside below each column, so that no run goes on into the next one.
    down = np.pad(part, ((0, 1), (0, 0))).T.ravel()
    changes = np.flatnonzero(np.diff(down, prepend=False))
    column, row = np.divmod(changes, len(part) + 1)
    ends = (columns[0] + column) * height + rows[0] + row
    # Unless the mask fills its columns: there one run ends where the next begins.
    joined = np.flatnonzero(ends[1:] == ends[:-1])
    ends = np.delete(ends, np.concatenate([joined, joined + 1]))
    if ends[-1] < width * height:
        ends = np.append(ends, width * height)
    return from_run_ends(ends, width, height)


def _of_segmentation(given: Any, width: int, height: int) -> bytes | None:
    if given is None or (isinstance(given, (list, tuple)) and not given):
        return None
    if isinstance(given, (list, tuple)):
        if not all(map(_is_polygon, given)):
            raise ValueError('a polygon is not [x1, y1, x2, y2, x3, y3, ...]')
        mask = coco.merge(coco.frPyObjects([list(p) for p in given], height, width))['counts']
    else:
        mask = _counts(given, width, height)
    return from_run_ends(run_ends(mask), width, height)


def _is_polygon(given: Any) -> bool:
    if not isinstance(given, (list, tuple)) or len(given) < 6 or len(given) % 2:
        return False
    return all(finite_number(side) is not None and not isinstance(side, str) for side in given)


def _is_length(given: Any) -> bool:
    return isinstance(given, (int, float, np.integer)) and given % 1 == 0


def _counts(rle: Any, width: int, height: int) -> bytes:
    if not isinstance(rle, dict) or not {'size', 'counts'} <= set(rle):
        raise ValueError(f'{type(rle).__name__} is neither polygons nor RLE')
    kinds = (list, tuple), (list, tuple, str, bytes)
    for name, kind in zip(('size', 'counts'), kinds, strict=True):
        if not isinstance(rle[name], kind):
            raise ValueError(f'{name} of a mask is {rle[name]!r}')
    if list(rle['size']) != [height, width]:
        size = 'x'.join(str(side) for side in reversed(rle['size']))
        raise ValueError(f'a mask is {size} pixels, the image is {width}x{height}')
    counts = rle['counts']
    if isinstance(counts, (list, tuple)):
        if not all(map(_is_length, counts)):
            raise ValueError('the runs of a mask are not whole numbers')
        lengths = [int(each) for each in counts]
        if min(lengths, default=0) < 0 or sum(lengths) != width * height:
            raise ValueError('the runs of a mask do not fill the image')
        return bytes(coco.frPyObjects({**rle, 'counts': lengths}, height, width)['counts'])
    mask = counts.encode() if isinstance(counts, str) else counts
    # pycocotools would read what is no RLE past its end.
    if not mask or not all(48 <= byte < 112 for byte in mask) or mask[-1] - 48 & 0x20:
        raise ValueError('the counts of a mask are no compressed RLE')
    ends = run_ends(mask)
    if ends[-1] != width * height or (np.diff(ends, prepend=0) < 0).any():
        raise ValueError('the runs of a mask do not fill the image')
    return mask
