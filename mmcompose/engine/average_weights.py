"""The average of the weights of detectors of one architecture that know different classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from mmcompose.engine.class_layers import ClassAxis, copy_rows, shape_of_other
from mmcompose.utils import UserError, fault

# Layers whose weights have a smaller cosine did not come from the same ones: of detectors that
# were fine-tuned from the same it is 0.9 and more, of those that began apart about 0.
RELATED = 0.5
# Of the layers of two detectors, how many may be so far apart.
MAX_UNRELATED = 0.05


@dataclass(frozen=True)
class Member:
    """A detector whose weights are averaged with others'.

    Args:
        name: For messages.
        weights: By name.
        rows: For each of the average's classes that it knows its index there.
        num_classes: How many it has.
    """

    name: str
    weights: Mapping[str, Tensor]
    rows: Mapping[int, int]
    num_classes: int


def average_weights(
    own: Mapping[str, Tensor],
    layers: Mapping[str, Sequence[ClassAxis]],
    num_classes: int,
    members: Sequence[Member],
) -> dict[str, Tensor]:
    """Return the mean of the members' weights; a class's rows are the mean of its owners' alone.

    Networks that were fine-tuned from the same weights stay so near that their mean works: Model
    soups (Wortsman et al. 2022). Of other classes each, it is a beginning and no detector yet.

    Args:
        own: Weights that the model of the average has now, by name. What no member has, such as
            the rows of a class that none knows, stays.
        layers: See :func:`mmcompose.engine.class_layers.class_layers`.
        num_classes: How many classes the average has.
        members: At least one.

    Raises:
        UserError: If a member is of another architecture, or did not begin as the others did.
    """
    for member in members:
        _check_architecture(own, layers, member)
    _check_related([name for name in own if name not in layers], members)
    return {
        name: _mean(weight, layers.get(name, ()), num_classes, name, members)
        for name, weight in own.items()
    }


def _check_architecture(
    own: Mapping[str, Tensor], layers: Mapping[str, Sequence[ClassAxis]], member: Member
) -> None:
    mistake = next(_differences(own, layers, member), None)
    if mistake is not None:
        told = f"is not of the student's architecture: {mistake}; name the teachers that are"
        raise UserError(fault(f'teachers.{member.name}', told))


def _differences(
    own: Mapping[str, Tensor], layers: Mapping[str, Sequence[ClassAxis]], member: Member
) -> Iterator[str]:
    for name, weight in own.items():
        expected = shape_of_other(weight.shape, layers.get(name, ()), member.num_classes)
        found = member.weights.get(name)
        if found is None:
            yield f'it has no {name}'
        elif found.shape != expected:
            yield f"its {name} is {list(found.shape)}, the student's {list(expected)}"
    # A deeper network has all that a shallower one has, and does not work without the rest.
    for name in member.weights:
        if name not in own:
            yield f'the student has no {name}'


def _check_related(names: Sequence[str], members: Sequence[Member]) -> None:
    for one, other in combinations(members, 2):
        found = dict(_cosines(names, one, other))
        apart = {name: cosine for name, cosine in found.items() if cosine < RELATED}
        if len(apart) > MAX_UNRELATED * len(found):
            worst = min(apart, key=apart.__getitem__)
            raise UserError(
                fault(
                    f'teachers.{other.name}',
                    f'did not begin with the same weights as {one.name!r}: {len(apart)} of '
                    f'{len(found)} layers are unrelated, {worst} most (cosine '
                    f'{apart[worst]:.2f}), and their mean is no detector; name those that did, '
                    f'or one alone',
                )
            )


def _cosines(names: Sequence[str], one: Member, other: Member) -> Iterator[tuple[str, float]]:
    for name in names:
        pair = [member.weights[name].flatten() for member in (one, other)]
        # Not of biases and norms, which all begin alike, nor of layers that begin with zeros.
        if one.weights[name].dim() > 1 and all(weight.any() for weight in pair):
            yield name, float(cosine_similarity(pair[0].float(), pair[1].float(), dim=0))


def _mean(
    own: Tensor,
    axes: Sequence[ClassAxis],
    num_classes: int,
    name: str,
    members: Sequence[Member],
) -> Tensor:
    if not own.is_floating_point():
        # How many batches a norm has seen.
        return members[0].weights[name]
    if not axes:
        return torch.stack([member.weights[name].to(own) for member in members]).mean(0)
    total, count = torch.zeros_like(own), torch.zeros_like(own)
    for member in members:
        weight = member.weights[name].to(own)
        counts = num_classes, member.num_classes
        for into, rows in ((total, weight), (count, torch.ones_like(weight))):
            into += copy_rows(torch.zeros_like(own), rows, member.rows, counts, axes)
    return torch.where(count > 0, total / count.clamp(min=1), own)
