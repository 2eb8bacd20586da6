"""How much of a teacher's feature maps a student's predict: what distilling features minimizes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

# Of the student's variance: keeps the equations solvable where channels depend on each other.
RIDGE = 1e-2


def unexplained_share(student: Tensor, teacher: Tensor) -> Tensor:
    """Return how much of a teacher's variance no 1-by-1 adapter predicts from a student's map.

    All channels are standardized over the batch, as in PKD (Cao et al. 2022), so that neither
    scale nor offset of features counts; the adapter between both numbers of channels is the best
    there is, by ridge regression, so that there is none to train.

    Args:
        student: ``(B, S, H, W)``, any float dtype.
        teacher: ``(B, T, H, W)``; takes no gradient.

    Returns:
        A scalar float32 in [0, 1].
    """
    # In 16 bits the equations are singular.
    with torch.autocast(student.device.type, enabled=False):
        inputs, targets = (_standardized(each) for each in (student, teacher.detach()))
        gram = inputs.T @ inputs / len(inputs)
        ridge = RIDGE * torch.eye(len(gram), device=gram.device)
        cross = inputs.T @ targets / len(inputs)
        # Without its check, which would wait for the GPU.
        adapter = torch.linalg.solve_ex(gram + ridge, cross)[0]
        explained: Tensor = (cross * adapter).sum() / targets.shape[1]
        return 1 - explained


def _standardized(features: Tensor) -> Tensor:
    """Return channels of mean 0 and variance 1, ``(B * H * W, C)`` float32."""
    rows: Tensor = features.float().movedim(1, -1).flatten(0, 2)
    rows = rows - rows.mean(dim=0)
    return rows / (rows.square().mean(dim=0) + 1e-6).sqrt()


def paired_levels(
    student: Sequence[Tensor], teacher: Sequence[Tensor]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield maps of the student and of the teacher that are of one size, level by level.

    Args:
        student: Maps ``(B, S, H, W)`` of the student's levels.
        teacher: Maps ``(B, T, H, W)`` of the teacher's, of the same part of the pictures. One whose
            size no level of the student's has is resampled to that of the nearest. Of several
            that are near to one level the nearest is taken, and the others are left out.
    """
    sizes = [each.shape[-2:] for each in student]
    distances = [[_distance(each.shape[-2:], size) for size in sizes] for each in teacher]
    taken: set[int] = set()
    for place in sorted(range(len(teacher)), key=lambda place: min(distances[place])):
        features = teacher[place]
        level = distances[place].index(min(distances[place]))
        if level in taken:
            continue
        taken.add(level)
        if features.shape[-2:] != sizes[level]:
            features = functional.interpolate(
                features, sizes[level], mode='bilinear', align_corners=False
            )
        yield student[level], features


def _distance(size: Sequence[int], other: Sequence[int]) -> float:
    """Return how many times one height is the other, as a logarithm, and of widths too."""
    return sum(abs(math.log(side / of)) for side, of in zip(size, other, strict=True))


def covering(maps: Iterable[Tensor], share: Sequence[float]) -> tuple[Tensor, ...]:
    """Return the upper left part of maps: where pictures are, and not what they were padded with.

    Args:
        maps: Each ``(B, C, H, W)``.
        share: Of height and width.
    """
    covered = []
    for each in maps:
        height, width = (
            max(round(side * part), 1) for side, part in zip(each.shape[-2:], share, strict=True)
        )
        covered.append(each[..., :height, :width])
    return tuple(covered)
