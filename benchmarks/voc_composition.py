"""Two detectors of 12 of Pascal VOC's classes each become one of all 20, on photographs.

Fine-tunes two teachers from a COCO YOLOX-Nano, composes them on unlabelled photographs into a
student, trains an oracle (the same student on the same photographs with their true labels, the
same schedule), and prints the composition table on other photographs. The student begins with the
average of its teachers' weights, the oracle with COCO's; beside them stand a student that begins
with COCO's and an oracle that begins with the teachers'.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from arms import Arm, Arms, seed_table, spread, voc_arms
from common import Bar, Stages, composition_table, console, exit_on_mistake, write_results
from voc_teachers import (
    BOTH_TEACHERS,
    CONFIGS,
    FROM_TEACHERS,
    ORACLE,
    ORACLE_FROM_TEACHERS,
    TRUTH,
    VOC,
)

STUDENT, FROM_COCO = 'composed from teachers', 'composed'
ALL, ALL_FROM_TEACHERS = 'oracle', 'oracle from teachers'
ARMS = {
    STUDENT: FROM_TEACHERS,
    FROM_COCO: BOTH_TEACHERS,
    ALL: ORACLE,
    ALL_FROM_TEACHERS: ORACLE_FROM_TEACHERS,
}
ORACLE_RATIO = 1.0
MINUTES = 40


def main() -> int:
    """Run every stage that has not been run, and print the table and the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=Path('data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('checkpoints'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/voc'))
    parser.add_argument('--seeds', type=int, default=3, help='trainings of student and oracle')
    parser.add_argument('--jobs', type=int, default=2, help='trainings side by side')
    parser.add_argument('--out', default='benchmarks/results/voc_composition.json')
    args = parser.parse_args()

    voc = VOC.at(args.data, args.weights, args.work_dir)
    # The teachers and the table; each student is trained and scored.
    stages = Stages(total=3 + 2 * len(ARMS) * args.seeds, logs=voc.work_dir / 'logs')
    teachers = voc.train_teachers(stages)
    arms = voc_arms(voc, stages, teachers, 'voc_composition.json')
    composed = voc.learned_from(teachers)
    inputs = {
        STUDENT: composed,
        FROM_COCO: composed,
        ALL: voc.learned_from([], TRUTH),
        ALL_FROM_TEACHERS: voc.learned_from(teachers, TRUTH),
    }
    first = {name: Arm(name, ARMS[name], inputs[name]) for name in ARMS}
    student, oracle = stages.together(
        *(partial(arms.run, first[name]) for name in (STUDENT, ALL)), width=args.jobs
    )
    config = f'{CONFIGS}/{FROM_TEACHERS}.py'
    table = composition_table(
        stages, config, teachers, student, oracle, voc.work_dir / 'table.json'
    )
    minutes = stages.minutes
    others = [arm for each in first.values() for arm in each.other_seeds(args.seeds)]
    beside = (first[FROM_COCO], first[ALL_FROM_TEACHERS], *others)
    stages.together(*(partial(arms.run, arm) for arm in beside), width=args.jobs)
    console.print(seed_table(arms, ARMS))
    figures = {**table, 'seeds': {name: spread(arms.runs(name)) for name in ARMS}}
    return write_results(args.out, figures, bars(table, arms, minutes), stages.seconds)


def bars(table: Mapping[str, Any], arms: Arms, minutes: float) -> dict[str, Bar]:
    """Return what the composition has to reach: students in the mean, one of each in minutes."""
    rows = table['rows']
    best_teacher = max(rows['voc_a']['shared'], rows['voc_b']['shared'])
    return {
        'student mAP / oracle mAP': Bar(arms.mean(STUDENT) / arms.mean(ALL), ORACLE_RATIO),
        'lowest AP of a class': Bar(min(table['per_class']['student'].values()), 0.001),
        'fused labels - best teacher, shared classes': Bar(
            rows['fused']['shared'] - best_teacher, 0.001
        ),
        'minutes': Bar(minutes, MINUTES, at_most=True),
    }


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
