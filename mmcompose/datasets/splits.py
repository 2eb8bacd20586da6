"""Splits of a labeled data set: seeded, stratified, nested, without replacement."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.structures.coco import read_coco
from mmcompose.utils import (
    Mistakes,
    UserError,
    atomic_write,
    check_writable,
    fault,
    no_file,
    problem,
)

Presence = NDArray[np.bool_]
# Among so many drawn images the best is chosen: fewer differ more from the pool, more make
# all folds alike.
_CANDIDATES = 256


def nested_splits(
    presence: Presence, sizes: Sequence[int], seed: int = 0, fold: int = 0
) -> list[NDArray[np.int64]]:
    """Choose nested subsets of images in which every class keeps its share.

    First each subset takes images until each class has one, the rarest class first.
    From there on each image is, of some drawn at random, the one that brings the subset's count
    of each class nearest to its share of the pool: herding (Welling, ICML 2009), which for one
    subset keeps shares closer than iterative stratification (Sechidis et al., ECML PKDD 2011)
    does, whose aim is folds that fill the whole pool.

    Args:
        presence: ``(N, C)``, which classes stand in which image.
        sizes: How many images each subset has, each in [1, N].
        seed: Of the random draws.
        fold: Another one gives other subsets of the same seed.

    Returns:
        For each of ``sizes``, in its order, ascending image indices. Each smaller subset is in
        each larger one. One that has as many images as there are classes has every class
        that any image has; a smaller one as many classes as a greedy choice finds.
    """
    random = np.random.default_rng((seed, fold))
    # Images without a class are to keep their share, too.
    strata = np.column_stack([presence, ~presence.any(axis=1)]).astype(np.float64)
    order: list[int] = []
    for size in sorted(sizes):
        order = _cover(presence, order, size, random)
        order = _herd(strata, order, size, random)
    return [np.sort(np.array(order[:size], np.int64)) for size in sizes]


def _herd(
    strata: NDArray[np.float64], order: Sequence[int], size: int, random: np.random.Generator
) -> list[int]:
    """Go on with an order of images until it has ``size``, every prefix of it balanced."""
    order = list(order)
    share = strata.mean(axis=0)
    # By variance: one image too many of a rare class is more amiss than of a common one.
    scale = np.divide(1, share, out=np.zeros_like(share), where=share > 0)
    excess = strata[order].sum(axis=0) - len(order) * share
    free = np.ones(len(strata), np.bool_)
    free[order] = False
    while len(order) < size:
        drawn = random.integers(0, len(strata), 2 * _CANDIDATES)
        candidates = drawn[free[drawn]][:_CANDIDATES]
        if not len(candidates):
            candidates = np.flatnonzero(free)
        # The square of excess + strata - share, without what is the same for all; presence is
        # its own square.
        costs = strata[candidates] @ ((2 * (excess - share) + 1) * scale)
        image = int(candidates[costs.argmin()])
        order.append(image)
        free[image] = False
        excess += strata[image] - share
    return order


def _cover(
    presence: Presence, order: Sequence[int], size: int, random: np.random.Generator
) -> list[int]:
    """Go on with an order until each class stands in it that a greedy choice has room for."""
    chosen = list(order)
    missing = presence.any(axis=0) & ~presence[chosen].any(axis=0)
    counts = presence.sum(axis=0)
    while missing.any() and len(chosen) < size:
        gains = presence[:, missing].sum(axis=1)
        # With room for an image a class, rare classes go first, and none can be left out.
        if missing.sum() <= size - len(chosen):
            rarest = int(np.where(missing, counts, len(presence) + 1).argmin())
            gains = gains * presence[:, rarest]
        image = int(random.choice(np.flatnonzero(gains == gains.max())))
        chosen.append(image)
        missing = missing & ~presence[image]
    return chosen


@dataclass(frozen=True)
class SplitFile:
    """One split on disk.

    Args:
        fold: From 1.
        name: The size as it was given: ``'1'`` (percent) or ``'50images'``.
        labeled: Path of the labeled part.
        unlabeled: Path of the rest, without annotations.
        num_images: Of the labeled part.
        lost: Classes that some image has, and none of the labeled part.
    """

    fold: int
    name: str
    labeled: Path
    unlabeled: Path
    num_images: int
    lost: tuple[str, ...]


def split_coco(
    annotations: str | Path,
    percents: Sequence[float] = (),
    counts: Sequence[int] = (),
    folds: int = 1,
    seed: int = 0,
    out: str | Path = '.',
) -> list[SplitFile]:
    """Split a COCO json into labeled parts and the rest, named as MMDet names them.

    ``{stem}.{fold}@{percent}.json`` holds the labeled part with its annotations,
    ``{stem}.{fold}@{percent}-unlabeled.json`` the other images, without any. A part given by
    count is named ``{stem}.{fold}@{count}images.json``.

    Args:
        annotations: The COCO json. Boxes with ``iscrowd`` or ``ignore``, from which no detector
            learns a class, do not make it present.
        percents: Sizes in percent of the images, rounded to whole images.
        counts: Sizes in images.
        folds: How many times to split anew.
        seed: With the fold it decides the split; at least 0.
        out: The folder to write to.

    Returns:
        What was written.

    Raises:
        UserError: With a line for each mistake; then nothing is written.
    """
    content = _read_coco(Path(annotations))
    sizes = split_sizes(len(content['images']), percents, counts)
    mistakes = Mistakes()
    if folds < 1:
        mistakes.add(problem('folds', folds, 'is not above 0'))
    if seed < 0:
        mistakes.add(problem('seed', seed, 'is below 0'))
    with mistakes:
        check_writable('out', out, folder=True)
    mistakes.raise_if_any()
    presence = _presence(content)
    names = [category['name'] for category in content['categories']]
    files: dict[Path, Any] = {}
    written = []
    for fold in range(1, folds + 1):
        chosen = nested_splits(presence, list(sizes.values()), seed, fold)
        for name, rows in zip(sizes, chosen, strict=True):
            stem = f'{Path(annotations).stem}.{fold}@{name}'
            labeled, rest = Path(out) / f'{stem}.json', Path(out) / f'{stem}-unlabeled.json'
            files[labeled], files[rest] = _parts(content, set(rows.tolist()))
            lost = presence.any(axis=0) & ~presence[rows].any(axis=0)
            lost_names = tuple(names[each] for each in np.flatnonzero(lost))
            written.append(SplitFile(fold, name, labeled, rest, len(rows), lost_names))
    _write(files)
    return written


def split_sizes(
    num_images: int, percents: Sequence[float] = (), counts: Sequence[int] = ()
) -> dict[str, int]:
    """Return sizes in images by the name of each split.

    Raises:
        UserError: If a size is out of range, or two are the same.
    """
    mistakes = Mistakes()
    infinite = [each for each in percents if not math.isfinite(each)]
    mistakes.add(*(problem('percents', each, 'is no number') for each in infinite))
    mistakes.raise_if_any()
    sizes = {f'{each:g}': round(num_images * each / 100) for each in percents}
    sizes |= {f'{each}images': each for each in counts}
    if not sizes:
        mistakes.add(fault('percents', 'is missing; give it, or counts'))
    for name, size in sizes.items():
        flag, value = ('counts', name[:-6]) if name.endswith('images') else ('percents', name)
        if not 0 < size < num_images:
            expected = f'of {num_images} images are {size}: neither part may be empty'
            mistakes.add(fault(flag, f'{value} {expected}'))
    twice = [size for size, times in Counter(sizes.values()).items() if times > 1]
    mistakes.add(
        *(
            fault(
                'percents',
                f'{" and ".join(n for n in sizes if sizes[n] == size)} are both {size} images; '
                'leave out one',
            )
            for size in twice
        )
    )
    mistakes.raise_if_any()
    return sizes


def _read_coco(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(no_file('annotations', path))
    return read_coco('annotations', str(path)).content


def _presence(content: Mapping[str, Any]) -> Presence:
    rows = {image['id']: row for row, image in enumerate(content['images'])}
    columns = {category['id']: column for column, category in enumerate(content['categories'])}
    presence = np.zeros((len(rows), len(columns)), np.bool_)
    for each in content['annotations']:
        if not each.get('iscrowd') and not each.get('ignore'):
            presence[rows[each['image_id']], columns[each['category_id']]] = True
    return presence


def _parts(content: Mapping[str, Any], chosen: set[int]) -> tuple[dict[str, Any], dict[str, Any]]:
    images = list(enumerate(content['images']))
    labeled = [image for row, image in images if row in chosen]
    rest = [image for row, image in images if row not in chosen]
    ids = {image['id'] for image in labeled}
    annotations = [each for each in content['annotations'] if each['image_id'] in ids]
    return (
        {**content, 'images': labeled, 'annotations': annotations},
        {**content, 'images': rest, 'annotations': []},
    )


def _write(files: Mapping[Path, Any]) -> None:
    """Write all files beside their places first, so that none is there without the others."""
    with ExitStack() as all_whole:
        for path, content in files.items():
            temporary = all_whole.enter_context(atomic_write('out', path))
            temporary.write_text(json.dumps(content))
