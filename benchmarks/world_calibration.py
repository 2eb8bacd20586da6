"""What calibrating teachers by their agreement is worth before the default fuses them.

    python benchmarks/world_calibration.py --data VOC --cells BCCD --weights WEIGHTS

needs what `worlds.py` leaves: its teachers and their predictions. Each world of teachers that share
classes, of one architecture or several, is labelled by the default as it is and with
`ScoreCalibration(method='agreement')` before its fusion, also with a teacher spoiled and with a
useless one.
"""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import console, exit_on_mistake, write_results
from label_quality import pipeline_steps
from mmengine.logging import MMLogger
from rich.table import Table
from world_data import WORLDS
from world_measures import Boxes
from world_predictions import DEFAULT, Cast, parser_of, wanted_by
from world_rivals import bound
from worlds import VARIANTS, World, varied

# By world, the architectures of its teachers.
TRIED = {
    'protocol': 'YOLOX, CenterNet',
    'two generalists': 'YOLOX, CenterNet',
    'two generalists, 416 px': 'YOLOX, CenterNet',
    'strangers and a referee': 'YOLOX',
    'neighbours': 'YOLOX',
    'neighbours and COCO': 'YOLOX',
    'digits': 'RetinaNet, YOLOX',
}
MEASURED = ('precision', 'recall', 'f1', 'calibration_error')


def steps_by_way() -> dict[str, list[dict[str, Any]]]:
    """Return the label pipelines that are compared."""
    first, *others = pipeline_steps(DEFAULT)
    calibration = {'type': 'mmcompose.ScoreCalibration', 'method': 'agreement'}
    return {'default': [first, *others], 'calibrated before': [first, calibration, *others]}


def measure(cast: Cast, name: str) -> dict[str, dict[str, dict[str, float]]]:
    """Return by variant of a world, and by way, how good labels are."""
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    spec = WORLDS[name]
    raw = cast.predictions(wanted_by([name]), 1) | cast.looks(spec.pool, 1)
    pictures = {source: cast.pictures(source) for source in spec.pool}
    world = World.of(spec, raw, pictures)
    reached: dict[str, dict[str, dict[str, float]]] = {}
    for variant in ('', *VARIANTS):
        each = varied(world, variant, spec, raw, pictures)
        reached[variant] = {}
        for way, steps in steps_by_way().items():
            pipeline = bound(steps, each.space).fit(lambda each=each: each.inputs)
            kept = [pipeline.apply(*one).kept() for one in each.inputs]
            figures = each.truth.judge(Boxes.of(kept)).figures()
            reached[variant][way] = {key: figures[key] for key in MEASURED}
    return reached


def main() -> int:
    """Measure every world in both ways, and print what the calibration adds."""
    parser = parser_of(__doc__)
    parser.add_argument(
        '--out', type=Path, default=Path('benchmarks/results/world_calibration.json')
    )
    args = parser.parse_args()

    out = args.out.resolve()
    cast = Cast.at(args.data, args.cells, args.weights, args.work_dir)
    with ProcessPoolExecutor(args.jobs) as pool:
        worlds = dict(zip(TRIED, pool.map(partial(measure, cast), TRIED), strict=True))
    table = Table('world', 'teachers', 'variant', 'F1', 'calibrated before', 'more')
    added: dict[str, list[float]] = {}
    for name, variants in worlds.items():
        for variant, ways in variants.items():
            plain, calibrated = (way['f1'] for way in ways.values())
            added.setdefault(name, []).append(calibrated - plain)
            cells = f'{plain:.3f}', f'{calibrated:.3f}', f'{calibrated - plain:+.3f}'
            table.add_row(name, TRIED[name], variant or 'as it is', *cells)
    console.print(table, width=120)
    means = {name: float(np.mean(each)) for name, each in added.items()}
    return write_results(out, {'worlds': worlds, 'F1 added, mean of variants': means}, {})


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
