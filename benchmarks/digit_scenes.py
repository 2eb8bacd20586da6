"""Scenes of handwritten digits for the demo, drawn from scikit-learn's ``load_digits``.

The 1,797 handwritten digits (8x8 pixels; UCI ML hand-written digits, Alpaydin & Kaynak 1998) come
with scikit-learn: nothing is downloaded. They are laid out in small pictures, several of them, in
many sizes, slightly turned, on coloured backgrounds. Every set of scenes has digits of its own, so
that no handwriting is seen twice: not by the two teachers, and not in training and test.

What is written under ``root``::

    teacher_a/ teacher_b/ unlabeled/ val/ test/      the pictures
    annotations/teacher_a.json   all ten digits are to be seen, 0 to 5 are annotated
    annotations/teacher_b.json   all ten digits are to be seen, 4 to 9 are annotated
    annotations/unlabeled.json   no annotations at all
    annotations/unlabeled_truth.json   the same pictures, for the oracle alone
    annotations/val_a.json, val_b.json   what the teachers are validated on
    annotations/test.json        all ten digits
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

Image = NDArray[np.float32]

CLASSES = tuple('0123456789')
TEACHER_A = CLASSES[:6]
TEACHER_B = CLASSES[4:]

# Which part of the 1,797 digits each set of scenes is drawn from.
DIGIT_SHARES = {'teacher_a': 0.27, 'teacher_b': 0.27, 'unlabeled': 0.27, 'val': 0.05, 'test': 0.14}
# How many scenes of each set.
SCENE_COUNTS = {'teacher_a': 1600, 'teacher_b': 1600, 'unlabeled': 1000, 'val': 100, 'test': 300}
# Which annotation files a set of scenes has, and the classes that each of them tells of.
ANNOTATIONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    'teacher_a': {'teacher_a': TEACHER_A},
    'teacher_b': {'teacher_b': TEACHER_B},
    'unlabeled': {'unlabeled': (), 'unlabeled_truth': CLASSES},
    'val': {'val_a': TEACHER_A, 'val_b': TEACHER_B},
    'test': {'test': CLASSES},
}

SCENE_SIZE = 128
DIGIT_SIZES = (22, 46)
DIGITS_A_SCENE = (4, 7)
MAX_OVERLAP = 0.05
MAX_TURN = 10.0
INK = 0.35
# Chalk on a dark board: what a digit's colour is above what lies under it.
CONTRAST = (80.0, 150.0)


@dataclass(frozen=True)
class Scene:
    """One picture and what is in it.

    Args:
        pixels: ``(SCENE_SIZE, SCENE_SIZE, 3)`` uint8, BGR.
        boxes: ``(N, 4)`` float, xyxy in pixels, tight around the ink.
        labels: ``(N,)`` int, the digits.
        sources: ``(N,)`` int, which of the 1,797 handwritten digits each of them is.
    """

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    sources: NDArray[np.int64]


def write_scenes(root: str | Path, seed: int = 0, counts: Mapping[str, int] | None = None) -> None:
    """Write all sets of scenes; the same arguments write the same bytes.

    Args:
        root: The folder to write to.
        seed: Decides everything.
        counts: How many scenes of each set. Defaults to ``SCENE_COUNTS``.
    """
    root = Path(root)
    (root / 'annotations').mkdir(parents=True, exist_ok=True)
    for name, count in (counts or SCENE_COUNTS).items():
        (root / name).mkdir(exist_ok=True)
        truths = []
        for number, scene in enumerate(make_scenes(name, count, seed), start=1):
            quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
            cv2.imwrite(str(root / name / _file_name(number)), scene.pixels, quality)
            truths.append((scene.boxes, scene.labels))
        for file, classes in ANNOTATIONS[name].items():
            text = json.dumps(_coco(truths, classes))
            (root / 'annotations' / f'{file}.json').write_text(text, encoding='utf-8')


def make_scenes(name: str, count: int, seed: int = 0) -> Iterator[Scene]:
    """Draw the scenes of one set; the first ones do not depend on how many follow.

    Args:
        name: One of ``DIGIT_SHARES``.
        count: How many.
        seed: Decides everything.
    """
    digits = load_digits()
    sources = split_digits(seed)[name]
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    for _ in range(count):
        yield _make_scene(rng, digits.images, digits.target, sources)


def split_digits(seed: int = 0) -> dict[str, NDArray[np.int64]]:
    """Share out the handwritten digits: disjoint, with every class in every set.

    Args:
        seed: Decides who gets which.

    Returns:
        The indices into ``load_digits`` of each set of scenes.
    """
    labels = load_digits().target
    rng = np.random.default_rng(seed)
    ends = np.cumsum(list(DIGIT_SHARES.values()))
    parts: dict[str, list[NDArray[np.int64]]] = {name: [] for name in DIGIT_SHARES}
    for label in range(len(CLASSES)):
        members = rng.permutation(np.flatnonzero(labels == label))
        cuts = np.rint(ends[:-1] * len(members)).astype(int)
        for name, part in zip(DIGIT_SHARES, np.split(members, cuts), strict=True):
            parts[name].append(part)
    return {name: np.sort(np.concatenate(part)) for name, part in parts.items()}


def _make_scene(
    rng: np.random.Generator,
    images: NDArray[np.float64],
    targets: NDArray[np.int64],
    sources: NDArray[np.int64],
) -> Scene:
    pixels = _background(rng)
    boxes: list[NDArray[np.float64]] = []
    chosen: list[int] = []
    wanted = int(rng.integers(*DIGITS_A_SCENE, endpoint=True))
    # A crowded picture may hold fewer: a few tries for each digit, then no more.
    for _ in range(4 * wanted):
        if len(chosen) == wanted:
            break
        # The class first: every digit is as frequent as any other.
        candidates = sources[targets[sources] == rng.integers(len(CLASSES))]
        source = int(rng.choice(candidates))
        ink = _place(rng, images[source])
        box = _ink_box(ink)
        if all(_iou(box, other) <= MAX_OVERLAP for other in boxes):
            pixels = _paint(rng, pixels, ink, box)
            boxes.append(box)
            chosen.append(source)
    noise = rng.normal(0, rng.uniform(0, 6), pixels.shape)
    return Scene(
        np.clip(pixels + noise, 0, 255).astype(np.uint8),
        np.array(boxes).reshape(-1, 4),
        targets[chosen].astype(np.int64),
        np.array(chosen, dtype=np.int64),
    )


def _background(rng: np.random.Generator) -> Image:
    """Return a picture of a colour gradient with a soft texture."""
    corners = rng.uniform(20, 100) + rng.normal(0, 25, (2, 2, 3))
    size = (SCENE_SIZE, SCENE_SIZE)
    gradient = cv2.resize(corners.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    grain = int(rng.integers(4, 32))
    coarse = rng.normal(0, rng.uniform(0, 10), (grain, grain, 3)).astype(np.float32)
    texture = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(gradient + texture, 0, 255), dtype=np.float32)


def _place(rng: np.random.Generator, digit: NDArray[np.float64]) -> Image:
    """Return how much ink of a digit, turned, scaled and moved, covers each pixel, 0 to 1."""
    # A margin of no ink: else cubic interpolation repeats strokes that touch the border.
    small = np.pad(digit.astype(np.float32) / 16, 2)
    middle = (small.shape[0] - 1) / 2
    size = rng.uniform(*DIGIT_SIZES)
    turn = cv2.getRotationMatrix2D((middle, middle), rng.uniform(-MAX_TURN, MAX_TURN), size / 8)
    turn[:, 2] += rng.uniform(size / 2, SCENE_SIZE - size / 2, 2) - middle
    ink = cv2.warpAffine(small, turn, (SCENE_SIZE, SCENE_SIZE), flags=cv2.INTER_CUBIC)
    # Steeper than the 8x8 pixels: strokes with an edge, not blots.
    return np.asarray(np.clip(1.8 * ink - 0.3, 0, 1), dtype=np.float32)


def _ink_box(ink: Image) -> NDArray[np.float64]:
    rows, columns = np.flatnonzero((ink > INK).any(1)), np.flatnonzero((ink > INK).any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)


def _iou(box: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    return common / float(np.prod(box[2:] - box[:2]) + np.prod(other[2:] - other[:2]) - common)


def _paint(rng: np.random.Generator, pixels: Image, ink: Image, box: NDArray[np.float64]) -> Image:
    """Paint ink in a colour that stands out from what lies under it."""
    left, top, right, bottom = box.astype(int)
    under = pixels[top:bottom, left:right].mean()
    colour = np.clip(under + rng.uniform(*CONTRAST) + rng.normal(0, 20, 3), 0, 255)
    cover = ink[..., None]
    return np.asarray(pixels * (1 - cover) + colour * cover, dtype=np.float32)


def _coco(
    truths: Sequence[tuple[NDArray[np.float64], NDArray[np.int64]]], classes: Sequence[str]
) -> dict[str, Any]:
    """Return an annotation file; ids count from 1, or pycocotools drops a match."""
    # An unlabeled set names no classes either: there is nothing in it to read.
    category_ids = {CLASSES.index(name): number for number, name in enumerate(classes, start=1)}
    images = [
        {'id': n, 'file_name': _file_name(n), 'width': SCENE_SIZE, 'height': SCENE_SIZE}
        for n in range(1, len(truths) + 1)
    ]
    annotations: list[dict[str, Any]] = []
    for image, (boxes, labels) in zip(images, truths, strict=True):
        for (left, top, right, bottom), label in zip(boxes.tolist(), labels.tolist(), strict=True):
            if label not in category_ids:
                continue
            width, height = right - left, bottom - top
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': image['id'],
                    'category_id': category_ids[label],
                    'bbox': [left, top, width, height],
                    'area': width * height,
                    'iscrowd': 0,
                }
            )
    categories = [{'id': number, 'name': CLASSES[k]} for k, number in category_ids.items()]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def _file_name(number: int) -> str:
    return f'{number:06d}.jpg'


def main() -> None:
    """Write the scenes to a folder."""
    import argparse

    parser = argparse.ArgumentParser(description='Write the scenes of the digits demo.')
    parser.add_argument('root', type=Path)
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    # No set depends on another.
    sets = [{name: count} for name, count in SCENE_COUNTS.items()]
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(write_scenes, arguments.root, arguments.seed), sets))


if __name__ == '__main__':
    main()
