"""How good the pseudo-labels of every fusion, filter and calibration are, on photographs.

    python benchmarks/label_quality.py --data VOC --weights WEIGHTS

Three teachers of unequal strength predict once, into the label store; every label pipeline is then
tried on what they said. What needs labels (marked *) is fitted on one half of val.json, the rest on
the unlabelled pool; all is measured on the other half of val.json, then the halves change places,
and the figures are the means of both. The pool's own truth is read for one thing alone: to measure
the shipped pipelines once more, on images by which nothing in them was chosen.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import Bar, console, exit_on_mistake, write_results
from ensemble_boxes import weighted_boxes_fusion
from label_world import Bench, Figures, LabelInput, Step, both, read_world
from mmengine.config import Config
from mmengine.logging import MMLogger
from rich.progress import track
from rich.table import Table
from voc_teachers import VOC

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import FUSED, ByTeacher, ImageContext, LabelPipeline
from mmcompose.structures import Detections

SHIPPED = {
    'default': 'configs/_base_/label_pipelines/default.py',
    'default_labelled*': 'configs/_base_/label_pipelines/default_labelled.py',
}

FLOOR: Step = {'type': 'mmcompose.ScoreFilter', 'min_score': 0.01}
CALIBRATIONS: dict[str, list[Step]] = {
    'none': [],
    'quantile': [{'type': 'mmcompose.ScoreCalibration', 'method': 'quantile'}],
    'agreement': [{'type': 'mmcompose.ScoreCalibration', 'method': 'agreement'}],
    'isotonic*': [{'type': 'mmcompose.ScoreCalibration', 'method': 'isotonic'}],
    'platt*': [{'type': 'mmcompose.ScoreCalibration', 'method': 'platt'}],
    'beta*': [{'type': 'mmcompose.ScoreCalibration', 'method': 'beta'}],
}
FUSIONS: dict[str, Step] = {
    'AgreementWeightedFusion': {'type': 'mmcompose.AgreementWeightedFusion'},
    'WeightedBoxesFusion': {'type': 'mmcompose.WeightedBoxesFusion'},
    'NonMaximumWeighted': {'type': 'mmcompose.NonMaximumWeighted'},
    'NMS': {'type': 'mmcompose.NMS'},
    'SoftNMS': {'type': 'mmcompose.SoftNMS'},
    'Concatenate': {'type': 'mmcompose.Concatenate'},
}
FILTERS: dict[str, Step] = {
    'score 0.3': {'type': 'mmcompose.ScoreFilter', 'min_score': 0.3},
    'score 0.5': {'type': 'mmcompose.ScoreFilter', 'min_score': 0.5},
    'mixture': {'type': 'mmcompose.AdaptiveScoreFilter', 'method': 'mixture'},
    'prior': {'type': 'mmcompose.AdaptiveScoreFilter', 'method': 'prior'},
    'expected_fbeta': {'type': 'mmcompose.AdaptiveScoreFilter', 'method': 'expected_fbeta'},
    'precision*': {'type': 'mmcompose.AdaptiveScoreFilter', 'method': 'precision'},
    'fbeta*': {'type': 'mmcompose.AdaptiveScoreFilter', 'method': 'fbeta'},
}
# What a user would script: the package as it is, all models asked for all classes.
PLAIN_IOU_THR = 0.55


def baselines(bench: Bench) -> dict[str, Any]:
    """Measure what there is without mmcompose, each at its best single global threshold."""
    plain = [_plain_fusion(*each) for each in bench.world.labelled]
    rows: dict[str, Any] = {
        'plain ensemble-boxes': both(
            lambda fold: {
                **bench.precision(plain, fold),
                **bench.at_its_best_threshold(plain, fold),
            }
        )
    }
    for name, found in bench.alone.items():
        rows[f'{name} alone'] = both(
            lambda fold, found=found: {
                **bench.precision(found, fold),
                **bench.at_its_best_threshold(found, fold),
            }
        )

    def best_owner(fold: int) -> Figures:
        owners = bench.chosen[fold]
        found = [_of_owners(said, owners, bench.world.space) for said, _ in bench.world.labelled]
        return {**bench.precision(found, fold), **bench.at_its_best_threshold(found, fold)}

    rows['best owner of each class*'] = both(best_owner)
    return rows


def _plain_fusion(said: ByTeacher, context: ImageContext) -> Detections:
    size = np.array([context.width, context.height] * 2, np.float64)
    boxes, scores, labels = weighted_boxes_fusion(
        [(found.boxes / size).clip(0, 1) for found in said.values()],
        [found.scores for found in said.values()],
        [found.labels for found in said.values()],
        iou_thr=PLAIN_IOU_THR,
    )
    return Detections.from_arrays(boxes * size, scores, labels)


def _of_owners(said: ByTeacher, owners: Mapping[str, str], space: ClassSpace) -> Detections:
    classes = np.array([owners[name] for name in space.classes])
    return Detections.concatenate(
        [found[classes[found.labels] == name] for name, found in said.items()]
    )


def shipped(bench: Bench, steps: Sequence[Step]) -> dict[str, Any]:
    """Measure a whole label pipeline."""
    made: list[LabelPipeline] = []

    def measure(fold: int) -> Figures:
        if not made or any(step.right_iou_thr is not None for step in made[0].steps):
            made.insert(0, bench.fitted(steps, fold))
        scored = [made[0].without_bands().apply(*each) for each in bench.world.labelled]
        begin = time.process_time()
        kept = [made[0].apply(*each) for each in bench.world.labelled]
        seconds = (time.process_time() - begin) / len(kept)
        return {
            **bench.precision(scored, fold),
            **bench.kept(kept, fold),
            'seconds an image': seconds,
        }

    return both(measure)


def try_grid(bench: Bench, filters: Mapping[str, Step]) -> dict[str, Any]:
    """Measure every fusion with every calibration, and each of them with every filter."""
    rows: dict[str, Any] = {}
    cells = [(fusion, calibration) for fusion in FUSIONS for calibration in CALIBRATIONS]
    for fusion, calibration in track(cells, 'fusion x calibration', console=console):
        steps = [FLOOR, *CALIBRATIONS[calibration], FUSIONS[fusion]]
        fused = [_Fused.of(bench, steps, fold) for fold in ((0, 1) if '*' in calibration else (0,))]
        scored = both(
            lambda fold, fused=fused: {
                **bench.precision(fused[fold % len(fused)].labelled, fold),
                'seconds an image': fused[fold % len(fused)].seconds,
            }
        )
        kept = {
            name: both(
                lambda fold, fused=fused, step=step: fused[fold % len(fused)].filtered(
                    bench, step, fold
                )
            )
            for name, step in filters.items()
        }
        rows[f'{fusion}, {calibration}'] = {'before a threshold': scored, 'kept': kept}
    return rows


@dataclass(frozen=True)
class _Fused:
    """What a calibration and a fusion make of pool and labelled images."""

    pool: list[LabelInput]
    labelled: list[Detections]
    seconds: float

    @classmethod
    def of(cls, bench: Bench, steps: Sequence[Step], fold: int) -> _Fused:
        pipeline = bench.fitted(steps, fold)
        pool = [({FUSED: pipeline.apply(*each)}, each[1]) for each in bench.world.pool]
        begin = time.process_time()
        labelled = [pipeline.apply(*each) for each in bench.world.labelled]
        return cls(pool, labelled, (time.process_time() - begin) / len(labelled))

    def filtered(self, bench: Bench, step: Step, fold: int) -> Figures:
        pipeline = bench.world.pipeline([step])
        contexts = [context for _, context in bench.world.labelled]
        other = [
            ({FUSED: self.labelled[row]}, contexts[row]) for row in bench.world.halves[1 - fold]
        ]
        other = bench.world.with_truth(other)
        pipeline = pipeline.fit(lambda: self.pool, lambda: other)
        kept = [
            pipeline.apply({FUSED: found}, context)
            for found, context in zip(self.labelled, contexts, strict=True)
        ]
        return bench.kept(kept, fold)


def bars(figures: Mapping[str, Any]) -> dict[str, Bar]:
    """Return what the recommended default has to reach."""
    default = figures['shipped']['default']
    plain = figures['baselines']['plain ensemble-boxes']
    worst = min(
        value
        for row in figures['spoiled']['default'].values()
        for name, value in row.items()
        if name.startswith('gain') and 'oracle' not in name
    )
    return {
        'macro F1 above plain ensemble-boxes at its best threshold': Bar(
            default['f1'] - plain['f1'], 0.03
        ),
        'points of AP above the best owner, one owner': Bar(default['gain of 1 owners'], 0.0),
        'points of AP above the best owner, two owners': Bar(default['gain of 2 owners'], 0.0),
        'points of AP above the best owner, three owners': Bar(default['gain of 3 owners'], 1.0),
        'the same with a teacher spoiled, the worst': Bar(worst, -0.5),
    }


def tables(figures: Mapping[str, Any]) -> list[Table]:
    """Return what is printed: whole pipelines, then the grid."""
    whole = Table('', 'mAP', '1 owner', '2 owners', '3 owners', 'P', 'R', 'F1', 'ECE', 'ms')
    rows = figures['baselines'] | figures['shipped']
    for pipeline, spoiled in figures['spoiled'].items():
        rows |= {f'{pipeline}, {name} spoiled': row for name, row in spoiled.items()}
    rows |= {f'{name}, on the pool': row for name, row in figures['held out'].items()}
    for name, row in rows.items():
        gains = [f'{row[f"gain of {n} owners"]:+.1f}' for n in (1, 2, 3)]
        kept = [f'{row[key]:.3f}' for key in ('precision', 'recall', 'f1', 'calibration_error')]
        ms = f'{1000 * row["seconds an image"]:.2f}' if 'seconds an image' in row else ''
        whole.add_row(name, f'{row["mAP"]:.3f}', *gains, *kept, ms)
    grid = Table('fusion, calibration', 'mAP', *(f'F1: {name}' for name in FILTERS), 'ms')
    for name, row in figures['grid'].items():
        scored = row['before a threshold']
        kept = [f'{row["kept"][each]["f1"]:.3f}' for each in FILTERS]
        ms = f'{1000 * scored["seconds an image"]:.2f}'
        grid.add_row(name, f'{scored["mAP"]:.3f}', *kept, ms)
    return [whole, grid]


def main() -> int:
    """Measure everything, print the tables and check the bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, default=Path('data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('checkpoints'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/voc'))
    parser.add_argument('--out', type=Path, default=Path('benchmarks/results/label_quality.json'))
    parser.add_argument(
        '--skip-grid', action='store_true', help='only baselines, shipped pipelines, and bars'
    )
    args = parser.parse_args()

    out = args.out.resolve()
    voc = VOC.at(args.data, args.weights, args.work_dir)
    voc.teachers()
    world, held_out = read_world(voc)
    # Hundreds of evaluations would each print their own tables.
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    # What the teachers were trained on says how many boxes an image should have.
    prior = [str(voc.annotations / f'teacher_{name}_train.json') for name in 'ab']
    filters = {
        name: {**step, 'boxes_per_image': prior} if step.get('method') == 'prior' else step
        for name, step in FILTERS.items()
    }
    bench = Bench(world)
    pipelines = {name: pipeline_steps(path) for name, path in SHIPPED.items()}
    figures: dict[str, Any] = {
        'baselines': baselines(bench),
        'shipped': {name: shipped(bench, steps) for name, steps in pipelines.items()},
        'spoiled': {name: {} for name in pipelines},
    }
    for teacher in bench.alone:
        spoiled = bench.spoiled(teacher)
        for name, steps in pipelines.items():
            figures['spoiled'][name][teacher] = shipped(spoiled, steps)
    unseen = Bench(held_out)
    figures['held out'] = baselines(unseen) | {
        name: shipped(unseen, steps) for name, steps in pipelines.items()
    }
    figures['held out'] |= {
        f'default, {teacher} spoiled': shipped(unseen.spoiled(teacher), pipelines['default'])
        for teacher in unseen.alone
    }
    figures['grid'] = {} if args.skip_grid else try_grid(bench, filters)
    for table in tables(figures):
        console.print(table)
    return write_results(out, figures, bars(figures))


def pipeline_steps(path: str) -> list[Step]:
    """Return the steps of a shipped label pipeline, none of them fitted before."""
    steps = Config.fromfile(path).to_dict()['label_pipeline']
    # Fitted here, and not read.
    return [{name: v for name, v in step.items() if name != 'learned_file'} for step in steps]


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
