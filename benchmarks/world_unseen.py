"""Worlds of strangers by which next to nothing was chosen: three teachers, pictures of their own.

    python benchmarks/world_unseen.py --data VOC --cells BCCD --weights WEIGHTS

needs what `worlds.py` leaves: its teachers and their predictions. As somebody would who has three
detectors without a class in common: the pool is the pictures that each was made for, together. Once
with no object of anybody else's (people apart), once with whatever else stands there. The powers of
`AppearanceCheck`'s rounds alone were chosen with these in view.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from common import Bar, console, exit_on_mistake, write_results
from label_quality import pipeline_steps
from mmengine.logging import MMLogger
from rich.table import Table
from world_data import Pictures, WorldSpec
from world_predictions import DEFAULT, Cast, parser_of
from world_tables import AHEAD, ASTRAY, best_rival
from world_teachers import SPECIALISTS, STRANGERS
from worlds import World, measure_default, measure_rivals

SOURCE = 'voc'
TEACHERS = (
    ('fliers', 'cat_only', 'dog_only'),
    ('vehicles', 'cat_only', 'dog_only'),
    ('vehicles', 'chair_only', 'dog_only'),
    ('mounts', 'cat_only', 'bird_only'),
    ('indoors', 'dog_only', 'bird_only'),
)
POOLS = ('their own objects', 'and others')
CLASSES = {**STRANGERS, **{f'{name}_only': (name,) for name in SPECIALISTS}}
# Stand in most pictures, and belong to nobody.
ANYWHERE = 'person'


def rows_with(pictures: Pictures, classes: Sequence[str], alone: bool) -> list[int]:
    """Return the rows of pictures that hold an object of some classes.

    Args:
        pictures: All of them.
        classes: Those classes.
        alone: Whether they hold none of any other but people.
    """
    rows = []
    for row, truth in enumerate(pictures.truth):
        names = {pictures.classes[label] for label in truth.labels} - {ANYWHERE}
        if names & set(classes) and (not alone or names <= set(classes)):
            rows.append(row)
    return rows


def measure(cast: Cast, teachers: tuple[str, ...], pool: str) -> dict[str, Any]:
    """Measure the default and its rivals on the pictures of some teachers."""
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    classes = tuple(name for teacher in teachers for name in CLASSES[teacher])
    spec = WorldSpec(teachers, classes, teachers[0])
    every = cast.pictures(SOURCE)
    rows = rows_with(every, classes, alone=pool == POOLS[0])
    raw = cast.predictions([(name, SOURCE) for name in teachers], 1) | cast.looks([SOURCE], 1)
    chosen = {
        key: replace(each, keys=[each.keys[r] for r in rows], found=[each.found[r] for r in rows])
        for key, each in raw.items()
    }
    pictures = replace(
        every,
        images=[every.images[row] for row in rows],
        truth=[every.truth[row] for row in rows],
    )
    world = World.of(spec, chosen, {SOURCE: pictures})
    default = measure_default(world, pipeline_steps(DEFAULT))
    return {'pictures': len(rows), 'default': default, **measure_rivals(world)}


def main() -> int:
    """Measure every group of teachers on both pools, print a table, and check the bars."""
    parser = parser_of(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/results/world_unseen.json'))
    args = parser.parse_args()

    out = args.out.resolve()
    cast = Cast.at(args.data, args.cells, args.weights, args.work_dir)
    cases = [(teachers, pool) for teachers in TEACHERS for pool in POOLS]
    with ProcessPoolExecutor(args.jobs) as processes:
        found = list(processes.map(partial(measure, cast), *zip(*cases, strict=True)))
    table = Table('teachers', 'pool', 'pictures', 'P', 'R', 'F1', 'astray', 'best rival', 'F1')
    figures: dict[str, Any] = {}
    bars: dict[str, Bar] = {}
    for (teachers, pool), rows in zip(cases, found, strict=True):
        name = f'{", ".join(teachers)}; {pool}'
        figures[name] = rows
        ours, count = rows['default'], rows['pictures']
        rivals = {key: each for key, each in rows.items() if key != 'pictures'}
        best = best_rival(rivals)
        cells = [f'{ours[key]:.3f}' for key in ('precision', 'recall', 'f1')]
        cells.append(f'{ours["wrong in pictures without"]:.3f}')
        cells += [best, f'{rivals[best]["f1"]:.3f}']
        table.add_row(', '.join(teachers), pool, str(count), *cells)
        bars[f'{name}: F1 above the best rival'] = Bar(ours['f1'] - rivals[best]['f1'], AHEAD)
        astray = ours['wrong in pictures without']
        bars[f'{name}: wrong boxes astray'] = Bar(astray, ASTRAY, at_most=True)
    console.print(table, width=160)
    return write_results(out, figures, bars)


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
