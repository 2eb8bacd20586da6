"""Truth of some classes beside teachers: the protocol's student, half of the labels a picture.

Half of the pool is labelled for ten of VOC's classes, drawn at random, and half for the other ten.
The protocol's student (``paper_protocol.py``) learns from truth and teachers together, from truth
alone with the other classes left out of the loss, from teachers alone, and from all true labels.
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

from common import Bar, console, exit_on_mistake, write_results
from paper_protocol import TRUTH, Protocol, arm_table, begin

from mmcompose.utils import write_json

BOTH, ALONE, TEACHERS, ORACLE = 'truth and teachers', 'truth alone', 'composed', 'oracle'
ORACLE_RATIO = 0.97


def half_labels(protocol: Protocol, seed: int) -> list[Path]:
    """Write the truth of each half of the pool, for its half of the classes."""
    source = protocol.annotations / f'{TRUTH}.json'
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
        files.append((protocol.work_dir / f'truth_{name}_{seed}.json').resolve())
        write_json('--work-dir', files[-1], part, indent=None)
    return files


def bars(protocol: Protocol) -> dict[str, Bar]:
    """Return what the arms have to reach."""
    both = protocol.mean(BOTH)
    better = max(protocol.mean(ALONE), protocol.mean(TEACHERS))
    return {
        'truth and teachers / oracle': Bar(both / protocol.mean(ORACLE), ORACLE_RATIO),
        'truth and teachers - the better of either alone': Bar(both - better, 1e-3),
    }


def main() -> int:
    """Run every arm that has not been run, and print the table and the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=Path('../shared/data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('../shared/weights'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/protocol'))
    parser.add_argument('--jobs', type=int, default=2, help='arms side by side')
    parser.add_argument('--seed', type=int, default=0, help='of which classes are labelled where')
    parser.add_argument(
        '--scale', type=float, default=1.0, help='of all trainings: 0.005 shows whether they run'
    )
    parser.add_argument('--out', help='default: in benchmarks/results, with --scale in --work-dir')
    args = parser.parse_args()

    out = Path(args.out).resolve() if args.out else None
    # The teacher; each arm is trained and scored.
    protocol, teachers = begin(args.data, args.weights, args.work_dir, args.scale, 1 + 2 * 4)
    one, other = half_labels(protocol, args.seed)
    # The configs read these.
    os.environ |= {'TRUTH_ONE': str(one), 'TRUTH_OTHER': str(other)}
    pool, truth = (protocol.annotations / f'{name}.json' for name in ('unlabeled', TRUTH))
    protocol.stages.together(
        partial(protocol.arm, BOTH, 'truth_and_teachers', [*teachers, pool, one, other]),
        partial(protocol.arm, ORACLE, 'oracle', [truth]),
        partial(protocol.arm, ALONE, 'truth_alone', [one, other]),
        partial(protocol.arm, TEACHERS, 'composed', [*teachers, pool]),
        width=args.jobs,
    )
    console.print(arm_table(protocol))
    figures = {'arms': protocol.found, 'scale': args.scale, 'seed': args.seed}
    results = protocol.work_dir if args.scale != 1 else Path('benchmarks/results')
    out = out or results / 'truth_and_teachers.json'
    return write_results(out, figures, bars(protocol), protocol.stages.seconds)


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
