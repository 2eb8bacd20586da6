"""Two detectors of 12 of Pascal VOC's classes each become one of all 20, on photographs.

Fine-tunes two teachers from a COCO YOLOX-Nano, composes them on unlabelled photographs into a
student, trains an oracle (the same student on the same photographs with their true labels, the
same schedule and initial weights), and prints the composition table on other photographs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from common import Bar, Stages, composition_table, exit_on_mistake, train, write_results
from voc_teachers import VOC

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

    voc = VOC.at(args.data, args.weights, args.work_dir)
    work_dir, weights, annotations = voc.work_dir, voc.weights, voc.annotations
    stages = Stages(total=5, logs=work_dir / 'logs')
    teachers = voc.train_teachers(stages)
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
