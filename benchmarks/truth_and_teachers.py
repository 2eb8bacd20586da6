"""Truth of some classes beside teachers: half of the labels a picture, and who fills the rest.

Half of the pool is labelled for ten of VOC's classes, drawn at random, and half for the other ten.
The student of ``voc_composition.py`` learns from truth and teachers together, from truth alone
with the other classes left out of the loss, from teachers alone, and from all true labels.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from functools import partial
from pathlib import Path
from typing import Any

from arms import Arm, Arms, arm_table, seed_table, spread, voc_arms
from common import Bar, Stages, console, exit_on_mistake, write_results
from voc_teachers import BOTH_TEACHERS, ORACLE, TRUTH, VOC

from mmcompose.utils import write_json

BOTH, ALONE, TEACHERS, ALL = 'truth and teachers', 'truth alone', 'composed', 'oracle'
ARMS = {
    BOTH: f'yolox-nano_voc-truth_{BOTH_TEACHERS}',
    ALONE: 'yolox-nano_voc-truth_yolox-nano_320_6e',
    TEACHERS: BOTH_TEACHERS,
    ALL: ORACLE,
}
# Trained with several seeds: how far truth alone falls behind is in no doubt.
SEEDED = (BOTH, TEACHERS, ALL)
ORACLE_RATIO = 0.97


def half_labels(annotations: Path, folder: Path, seed: int) -> list[Path]:
    """Write the truth of each half of the pool, for its half of the classes.

    Args:
        annotations: Folder of the pool's truth.
        folder: Where the two files go.
        seed: Of which pictures and classes make a half.
    """
    source = annotations / f'{TRUTH}.json'
    truth = json.loads(source.read_text(encoding='utf-8'))
    drawn = random.Random(seed)
    images, categories = (drawn.sample(truth[each], len(truth[each]))
                          for each in ('images', 'categories'))  # fmt: skip
    files = []
    for number, name in enumerate(('one', 'other')):
        part: dict[str, Any] = {
            'images': images[number::2],
            'categories': categories[number::2],
        }
        image_ids = {each['id'] for each in part['images']}
        category_ids = {each['id'] for each in part['categories']}
        part['annotations'] = [
            each
            for each in truth['annotations']
            if each['image_id'] in image_ids and each['category_id'] in category_ids
        ]
        files.append((folder / f'truth_{name}_{seed}.json').resolve())
        write_json('--work-dir', files[-1], part, indent=None)
    return files


def bars(arms: Arms) -> dict[str, Bar]:
    """Return what the arms have to reach, the mean over their seeds."""
    both = arms.mean(BOTH)
    better = max(arms.mean(ALONE), arms.mean(TEACHERS))
    return {
        'truth and teachers / oracle': Bar(both / arms.mean(ALL), ORACLE_RATIO),
        'truth and teachers - the better of either alone': Bar(both - better, 1e-3),
    }


def main() -> int:
    """Run every arm that has not been run, and print the table and the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=Path('data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('checkpoints'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/voc'))
    parser.add_argument('--seeds', type=int, default=3, help='trainings of an arm')
    parser.add_argument('--jobs', type=int, default=2, help='arms side by side')
    parser.add_argument('--seed', type=int, default=0, help='of which classes are labelled where')
    parser.add_argument('--truth-iou-thr', type=float, help="the datasets'; default: theirs")
    parser.add_argument('--out', default='benchmarks/results/truth_and_teachers.json')
    args = parser.parse_args()

    voc = VOC.at(args.data, args.weights, args.work_dir)
    # The teachers; each arm is trained and scored.
    stages = Stages(
        total=2 + 2 * (len(ARMS) + len(SEEDED) * (args.seeds - 1)), logs=voc.work_dir / 'logs'
    )
    teachers = voc.teachers(stages=stages)
    arms = voc_arms(voc, stages, teachers, 'truth_and_teachers.json')
    one, other = half_labels(voc.annotations, voc.work_dir, args.seed)
    # The configs read these.
    os.environ |= {'TRUTH_ONE': str(one), 'TRUTH_OTHER': str(other)}
    inputs = {
        BOTH: [*voc.learned_from(teachers), one, other],
        ALONE: [*voc.learned_from([]), one, other],
        TEACHERS: voc.learned_from(teachers),
        ALL: voc.learned_from([], TRUTH),
    }
    options: dict[str, dict[str, float]] = {}
    if args.truth_iou_thr is not None:
        key = 'train_dataloader.dataset.datasets.{}.truth_iou_thr'
        options[BOTH] = {key.format(number): args.truth_iou_thr for number in range(2)}
    first = [
        Arm(name, config, inputs[name], options.get(name, {})) for name, config in ARMS.items()
    ]
    others = [each for arm in first if arm.name in SEEDED for each in arm.other_seeds(args.seeds)]
    stages.together(*(partial(arms.run, arm) for arm in (*first, *others)), width=args.jobs)
    console.print(arm_table(arms), seed_table(arms, ARMS))
    figures = {
        'arms': arms.found,
        'seeds': {name: spread(arms.runs(name)) for name in ARMS},
        'seed': args.seed,
        'truth_iou_thr': args.truth_iou_thr,
    }
    return write_results(args.out, figures, bars(arms), stages.seconds)


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
