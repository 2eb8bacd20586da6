"""Which teacher spoils a pool, and where: what became of the scores of its sure boxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.compute.appearance_rounds import Judged

# Boxes with a lower score are no labels anyhow.
_SURE = 0.3
# Of fewer boxes nothing is learned.
_FEW_BOXES = 20
# A teacher that loses less spoils nothing.
_MUCH = 0.2


def losses_of(judged: Judged, space: ClassSpace) -> dict[str, Any]:
    """Return by teacher the share of its sure boxes' scores that is lost, and whose most.

    Args:
        judged: What became of the boxes.
        space: Names the teachers and classes.
    """
    scores, checked, likelihoods, labels, votes = judged
    losses = {}
    sure = scores >= _SURE
    for column, name in enumerate(space.teachers):
        own = sure & votes[:, column]
        if own.sum() < _FEW_BOXES:
            continue
        count = len(space.classes)
        before = np.bincount(labels[own], scores[own], count)
        after = np.bincount(labels[own], checked[own], count)
        # Of classes that it has no box of nothing is lost.
        worst = int(np.where(before > 0, before - after, -1.0).argmax())
        those = own & (labels == worst)
        alike_counts = np.bincount(likelihoods[those].argmax(axis=1), minlength=count + 1)
        alike_counts[worst] = 0
        alike = int(alike_counts.argmax())
        losses[name] = {
            'lost': round(float(1 - after.sum() / before.sum()), 4),
            'class': space.classes[worst],
            'class_lost': round(float(1 - after[worst] / before[worst]), 4),
            'alike': space.classes[alike] if alike < count else 'background',
        }
    return losses


def describe_losses(losses: Mapping[str, Any], relevances: Mapping[str, float]) -> list[str]:
    """Return two lines of the teacher that spoils the pool most, none where none does.

    Args:
        losses: As :func:`losses_of` returns them.
        relevances: By teacher how far it has anything to predict on the pool, in [0, 1].
    """
    lines = [
        f'{name} has nothing to predict on this pool: neither appearance nor pictures nor scores '
        f'set its surest boxes apart; its boxes keep {relevance:.0%} of their scores'
        for name, relevance in relevances.items()
        if relevance < 1
    ]
    # A teacher alone is not worse than others.
    if not losses or len(relevances) < 2:
        return lines
    name, worst = max(losses.items(), key=lambda pair: pair[1]['lost'])
    if worst['lost'] < _MUCH:
        return lines
    others = [f'{n} {each["lost"]:.0%}' for n, each in losses.items() if n != name]
    compared = f' (others: {", ".join(others)})' if others else ''
    return [
        *lines,
        f'{name} spoils this pool most: by what its boxes look like, those from score {_SURE} on '
        f'lose {worst["lost"]:.0%} of their score{compared}',
        f'of {name}, boxes of {worst["class"]!r} lose most, {worst["class_lost"]:.0%}; the wrong '
        f'ones look like {worst["alike"]!r}',
    ]
