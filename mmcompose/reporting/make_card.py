"""A composition's card, from its labels and its student."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmcompose.composition import Composition, PoolLabels
from mmcompose.evaluation import CompositionTable
from mmcompose.reporting.card import write_card
from mmcompose.reporting.facts import gather
from mmcompose.reporting.made import Made
from mmcompose.reporting.pictures import choose
from mmcompose.store import DetectionTable
from mmcompose.structures import Image
from mmcompose.teachers import Teacher


def make_card(
    folder: Path,
    made: Made,
    composition: Composition,
    images: Sequence[Image],
    labels: PoolLabels | DetectionTable,
    table: CompositionTable | None = None,
    student: Teacher | None = None,
    pictures: int = 200,
) -> Path:
    """Choose pictures, count labels, and write the card.

    Args:
        folder: Where to.
        made: How the composition was made.
        composition: Of which the labels are.
        images: The pool.
        labels: Of each picture.
        table: The composition table. Defaults to none.
        student: What has learned from the labels. Defaults to none.
        pictures: How many the card shows. Defaults to 200.

    Returns:
        The page's path.
    """
    shown = choose(composition, images, labels, student, pictures)
    facts = gather(composition, images, labels, student)
    return write_card(folder, made, facts, shown, table)
