"""Constants of the default's thresholds, each kind of world left out of their choice in turn.

    python benchmarks/world_constants.py --data VOC --cells BCCD --weights WEIGHTS

needs what `worlds.py` leaves: its teachers and their predictions. Whoever chooses constants with
the truth of the worlds in view chooses for these worlds. So those of each kind of world are chosen
on the others, by the mean of macro F1, and what that costs is printed, beside what the shipped ones
reach and what would be best there.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import Bar, console, exit_on_mistake, write_results
from label_quality import pipeline_steps
from mmengine.logging import MMLogger
from numpy.typing import NDArray
from rich.table import Table
from world_data import WORLDS
from world_measures import Boxes
from world_predictions import DEFAULT, Cast, parser_of, wanted_by
from world_rivals import bound
from worlds import VARIANTS, World, varied

from mmcompose.labeling import FUSED
from mmcompose.labeling.thresholds.tempered_fbeta import TemperedFbetaThreshold
from mmcompose.utils import UserError

WEIGHTS = (0.0, 0.15, 0.25, 0.35, 0.5, 0.65)
COMMONS = (0.16, 0.18, 0.2, 0.22, 0.24)
# Worlds of one kind have teachers or pictures in common: they are left out together.
KINDS = {
    'strangers': ('strangers', 'strangers and a referee'),
    'specialists': ('specialists', 'specialists of two heads'),
    'far strangers': ('far strangers, 3:1', 'far strangers, 1:3'),
    'neighbours': ('neighbours', 'neighbours and COCO'),
    'protocol': ('protocol',),
    'generalists': ('two generalists', 'two generalists, 416 px'),
    'digits': ('digits',),
    'generalist and specialist': ('generalist and specialist',),
}
# What constants may lose, on the mean of all kinds, for having been chosen elsewhere.
LOSS = 0.01

Floats = NDArray[np.float64]


class Constants(NamedTuple):
    """Arguments of ``tempered_fbeta``."""

    weight: float
    common: float


TRIED = [Constants(*each) for each in product(WEIGHTS, COMMONS)]


def f1_by_constants(cast: Cast, name: str) -> dict[str, list[float]]:
    """Return by variant of a world the macro F1 that each of ``TRIED`` reaches."""
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    spec = WORLDS[name]
    raw = cast.predictions(wanted_by([name]), 1) | cast.looks(spec.pool, 1)
    pictures = {source: cast.pictures(source) for source in spec.pool}
    world = World.of(spec, raw, pictures)
    *before, bands, once = pipeline_steps(DEFAULT)
    reached = {}
    for variant in ('', *VARIANTS):
        each = varied(world, variant, spec, raw, pictures)
        pipeline = bound(before, each.space).fit(lambda each=each: each.inputs)
        scored = [({FUSED: pipeline.apply(*one)}, one[1]) for one in each.inputs]
        truth = each.truth
        reached[variant] = [
            truth.judge(
                Boxes.of(_kept([{**bands, **one._asdict()}, once], scored, each))
            ).figures()['f1']
            for one in TRIED
        ]
    return reached


def _kept(steps: Sequence[Mapping[str, Any]], scored: Sequence[Any], world: World) -> list[Any]:
    pipeline = bound(steps, world.space).fit(lambda: scored)
    return [pipeline.apply(*each).kept() for each in scored]


def shipped() -> Constants:
    """Return the constants of the default.

    Raises:
        UserError: If they are not among those that are tried.
    """
    default = TemperedFbetaThreshold()
    found = Constants(default.weight, default.common)
    if found not in TRIED:
        raise UserError(f'the defaults of tempered_fbeta are {found}, which is not tried here')
    return found


def main() -> int:
    """Measure every world with every constant; choose with each kind left out."""
    parser = parser_of(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/results/world_constants.json'))
    args = parser.parse_args()

    out = args.out.resolve()
    cast = Cast.at(args.data, args.cells, args.weights, args.work_dir)
    names = [name for kind in KINDS.values() for name in kind]
    with ProcessPoolExecutor(args.jobs) as pool:
        worlds = dict(zip(names, pool.map(partial(f1_by_constants, cast), names), strict=True))
    by_kind = {
        kind: np.mean([list(worlds[name].values()) for name in members], axis=(0, 1))
        for kind, members in KINDS.items()
    }
    ours = TRIED.index(shipped())
    table = Table('left out', 'chosen on the others', 'F1', 'shipped', 'best there', 'F1')
    figures: dict[str, Any] = {
        'tried': [each._asdict() for each in TRIED],
        'f1': worlds,
        'chosen': {},
    }
    losses = []
    for kind, f1 in by_kind.items():
        others: Floats = np.mean([each for name, each in by_kind.items() if name != kind], axis=0)
        chosen, best = int(others.argmax()), int(f1.argmax())
        figures['chosen'][kind] = TRIED[chosen]._asdict()
        losses.append(float(f1[best] - f1[chosen]))
        cells = f'{f1[chosen]:.4f}', f'{f1[ours]:.4f}', str(TRIED[best]), f'{f1[best]:.4f}'
        table.add_row(kind, str(TRIED[chosen]), *cells)
    console.print(table, width=140)
    lost = float(np.mean([f1.max() - f1[ours] for f1 in by_kind.values()]))
    targets = {
        'F1 lost by constants of other worlds': Bar(float(np.mean(losses)), LOSS, at_most=True),
        'F1 lost by the shipped constants': Bar(lost, LOSS, at_most=True),
    }
    return write_results(out, figures, targets)


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
