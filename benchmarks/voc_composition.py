"""Two detectors of 12 of Pascal VOC's classes each become one of all 20, on photographs.

Fine-tunes two teachers from a COCO YOLOX-Nano, composes them on unlabelled photographs into a
student, trains an oracle (the same student on the same photographs with their true labels, the
same schedule and initial weights), and prints the composition table on other photographs.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from common import (
    ROOT,
    Bar,
    Stages,
    composition_table,
    exit_on_mistake,
    train,
    write_results,
)

from mmcompose.utils import UserError

TEACHER = 'configs/voc/yolox-nano_320_voc-{}.py'
STUDENT = 'configs/compose/voc/yolox-nano_voc-a_yolox-nano_voc-b_yolox-nano_320_6e.py'
ORACLE = 'configs/compose/voc/yolox-nano_voc-oracle_yolox-nano_320_6e.py'
MINUTES = 40


def main() -> int:
    """Run every stage that has not been run, and print the table and the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=Path('../shared/data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('../shared/weights'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/voc'))
    parser.add_argument('--out', default='benchmarks/results/voc_composition.json')
    args = parser.parse_args()

    weights = args.weights.resolve() / 'yolox_nano_coco_mmdet.pth'
    annotations = args.data.resolve() / 'annotations'
    for path in (weights, annotations):
        if not path.exists():
            raise UserError(f'{path}: is missing; name its folder with --data or --weights')
    work_dir = args.work_dir.resolve()
    # The configs read these; see configs/compose/voc.
    os.environ['VOC_ROOT'] = str(args.data.resolve())
    os.environ['YOLOX_NANO_COCO'] = str(weights)
    os.environ['VOC_TEACHERS'] = str(work_dir)
    os.chdir(ROOT)

    stages = Stages(total=5, logs=work_dir / 'logs')
    teachers = [
        train(
            stages,
            f'fine-tuning teacher {name}',
            TEACHER.format(name),
            work_dir / f'teacher_{name}',
            [weights, annotations / f'teacher_{name}_train.json'],
        )
        for name in 'ab'
    ]
    pool = annotations / 'unlabeled.json'
    truth = annotations / 'unlabeled_ground_truth.json'
    student = train(
        stages,
        'labelling, and training the student',
        STUDENT,
        work_dir / 'student',
        [weights, pool, *teachers],
    )
    oracle = train(stages, 'training the oracle', ORACLE, work_dir / 'oracle', [weights, truth])

    table = composition_table(stages, STUDENT, teachers, student, oracle, work_dir / 'table.json')
    return write_results(args.out, table, bars(table, stages.minutes), stages.seconds)


def bars(table: dict[str, Any], minutes: float) -> dict[str, Bar]:
    """Return what the composition has to reach."""
    rows = table['rows']
    best_teacher = max(rows['voc_a']['shared'], rows['voc_b']['shared'])
    return {
        'student mAP / oracle mAP': Bar(rows['student']['mAP'] / rows['oracle']['mAP'], 0.90),
        'lowest AP of a class': Bar(min(table['per_class']['student'].values()), 0.001),
        'fused labels - best teacher, shared classes': Bar(
            rows['fused']['shared'] - best_teacher, 0.001
        ),
        'minutes': Bar(minutes, MINUTES, at_most=True),
    }


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
