"""Model Composition's own protocol (Banitalebi-Dehkordi et al., BMVC 2021), on two cores.

A detector of 12 of Pascal VOC's classes and one of COCO's 80, of another architecture and
framework, are composed on unlabelled photographs into a student that knows ImageNet and no
detector. It is held against the same student trained on the true labels, and, fine-tuned with
1, 5 and 10 % of them, against the same student trained on those alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from arms import Arm, Arms, arm_table, seed_table, spread
from common import (
    CPU,
    Bar,
    Stages,
    config_text,
    console,
    exit_on_mistake,
    makespan,
    read_config,
    tool,
    write_results,
)
from rich.table import Table
from voc_teachers import TRUTH, VOC

from mmcompose.utils import UserError, fault, file_fingerprint, nearest, write_json

CONFIGS = 'configs/compose/protocol'
PERCENTS = (1, 5, 10)
# The paper's gains over supervised training with the same labels, in mAP.
PAPER_GAINS = {1: 0.186, 5: 0.126, 10: 0.081}
# The learning rates that a supervised student with few labels is tried with: of each share the
# better one counts. What it is held against has one rate, untried.
SUPERVISED_RATES = (7e-4, 2e-4)
ORACLE_RATIO, LARGER_RATIO = 1.0, 1.05
# What the oracle is to reach, so that a ratio is worth something.
ORACLE = 0.246
WITH_FEATURES = 'composed with features'
LARGER = 'composed with features on a larger pool'
LARGEST = 'composed with features on the largest pool'
OF_BOTH = 'composed with features of both'
# Arms 1, 2 and 9 to 12, whose difference is small beside that of two runs: by config.
SEEDED = {
    'oracle': 'oracle',
    WITH_FEATURES: 'features',
    LARGER: 'features',
    OF_BOTH: 'features_of_both',
    'composed': 'composed',
    'as in the paper': 'plain',
}
SEMI_PERCENT = 10
SEMI = f'semi-supervised {SEMI_PERCENT} % fold 1'
SEMI_COMPOSED = f'composed and {SEMI}'
# Whose pictures are added to the pool's. No teacher of the protocol has seen teacher_b_train's;
# teacher_a_train's are those that its first teacher learned from.
MORE_PICTURES = {LARGER: ['teacher_b_train'], LARGEST: ['teacher_b_train', 'teacher_a_train']}
MINUTES = 300
RESULTS = 'paper_protocol.json'
# Scored beside the arms: the teachers, and the labels.
TEACHERS = ('voc_a', 'coco', 'fused')


def main() -> int:
    """Run every arm that has not been run, and print the table and the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=Path('data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('checkpoints'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/protocol'))
    parser.add_argument('--folds', type=int, default=1, help='repeat arms 3 to 8 on other splits')
    parser.add_argument(
        '--seeds', type=int, default=3, help='trainings of each of arms 1, 2 and 9 to 12'
    )
    parser.add_argument('--jobs', type=int, default=2, help='arms side by side')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument(
        '--scale', type=float, default=1.0, help='of all trainings: 0.005 shows whether they run'
    )
    parser.add_argument('--out', help='default: in benchmarks/results, with --scale in --work-dir')
    parser.add_argument('arms', nargs='*', help='names of those to train; default: all')
    args = parser.parse_args()

    if args.device == 'cpu':
        # MMEngine takes a GPU where it sees one.
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    out = args.out and Path(args.out).resolve()
    num_arms = (
        args.seeds * len(SEEDED) + args.folds * len(PERCENTS) * (1 + len(SUPERVISED_RATES)) + 3
    )
    # The teacher, the splits and the table; each arm is trained and scored.
    protocol, teachers = begin(args.data, args.weights, args.work_dir, args.scale, 3 + 2 * num_arms)
    out = out or (protocol.work_dir if args.scale != 1 else Path('benchmarks/results')) / RESULTS
    protocol.results = out
    minutes = run_arms(protocol, teachers, args.folds, args.seeds, args.jobs, args.arms)

    gains = {
        percent: value
        for percent in PERCENTS
        if (value := gain(protocol, percent, args.folds)) is not None
    }
    seeded = [name for name in SEEDED if protocol.runs(name)]
    console.print(
        arm_table(protocol), seed_table(protocol, seeded), gain_table(protocol, gains, args.folds)
    )
    figures = {
        'arms': protocol.found,
        'seeds': {name: spread(protocol.runs(name)) for name in seeded},
        'gains': {f'{percent} %': value for percent, value in gains.items()},
        'scale': args.scale,
        'minutes': minutes,
    }
    return write_results(out, figures, bars(protocol, gains, minutes), protocol.stages.seconds)


def begin(
    data: Path, weights: Path, work_dir: Path, scale: float, total: int
) -> tuple[Arms, list[Path]]:
    """Look whether all is there, tell the configs, and train the first teacher if it is not.

    Args:
        data: Folder of ``annotations`` and ``images``.
        weights: Folder of the COCO detectors.
        work_dir: Where results go; a short run leaves the long one's folders alone.
        scale: Of all trainings.
        total: How many stages there will be.

    Returns:
        The protocol, without an arm, and both teachers.

    Raises:
        UserError: If something is missing.
    """
    centernet = weights.resolve() / 'centernet_mobilenetv3_coco.onnx'
    if not centernet.is_file():
        raise UserError(fault('', f'{centernet}: is missing; name its folder with --weights'))
    voc = VOC.at(data, weights, work_dir)
    # The configs read these, too.
    os.environ['CENTERNET_COCO'] = str(centernet)
    os.environ['PROTOCOL_SCALE'] = str(scale)
    folder = voc.work_dir if scale == 1 else voc.work_dir / f'scale_{scale:g}'
    stages = Stages(total=total, logs=folder / 'logs')
    (teacher,) = voc.teachers('a', stages)
    made = {teacher: voc.recipe('a')}
    return Arms(stages, folder, voc.annotations, CONFIGS, made=made), [teacher, centernet]


def run_arms(
    protocol: Arms, teachers: list[Path], folds: int, seeds: int, jobs: int, names: list[str]
) -> float | None:
    """Run arms, so many at a time, and score teachers and labels.

    Args:
        protocol: The protocol.
        teachers: Both checkpoints.
        folds: On how many splits.
        seeds: With how many seeds.
        jobs: How many at a time.
        names: Those to train, all if there is none; what others reached in an earlier run, made
            by the same, is taken.

    Returns:
        How many minutes all arms take once, so many at a time; None if some were not run.
    """
    inputs = [*teachers, protocol.annotations / 'unlabeled.json']
    splits = split_labels(protocol, folds)
    once = planned(protocol, teachers, splits, folds)
    others = [arm for name in SEEDED for arm in once[name].other_seeds(seeds)]
    # Beside the paper's arms, which the minutes are of.
    others.append(seeded_arm(protocol, teachers, LARGEST))
    others += semi_supervised_arms(once[WITH_FEATURES], splits)
    arms = once | {arm.name: arm for arm in others}
    for name in names:
        if name not in arms:
            raise UserError(
                fault('', f'{name!r}: is no arm; {nearest(name, arms) or ", ".join(arms)} is')
            )
    wanted = [arm for name, arm in arms.items() if name in names or not names]
    # Other seeds and folds than these are kept as they are.
    protocol.found |= protocol.others({*arms, *TEACHERS})
    for arm in arms.values():
        if arm not in wanted:
            protocol.take(arm)
    rows = in_rows(wanted)
    protocol.stages.together(*(partial(run_row, protocol, row) for row in rows), width=jobs)
    score_teachers(protocol, inputs)
    if not protocol.found.keys() >= once.keys():
        return None
    seconds = [
        sum(protocol.found[arm.name]['seconds'] for arm in row) for row in in_rows(once.values())
    ]
    return makespan(seconds, jobs) / 60


def in_rows(arms: Iterable[Arm]) -> list[list[Arm]]:
    """Return arms in rows that run side by side: what begins with another arm follows it."""
    rows: dict[str, list[Arm]] = {}
    for arm in arms:
        rows.setdefault((arm.begins_with or arm).name, []).append(arm)
    return list(rows.values())


def run_row(protocol: Arms, arms: list[Arm]) -> Path:
    """Run arms one after another, and return what the last left."""
    return [protocol.run(arm) for arm in arms][-1]


def planned(protocol: Arms, teachers: list[Path], splits: Path, folds: int) -> dict[str, Arm]:
    """Return all arms, by name, with the configs' own seed."""
    arms = [seeded_arm(protocol, teachers, name) for name in SEEDED]
    student = next(arm for arm in arms if arm.name == WITH_FEATURES)
    pool = [*teachers, protocol.annotations / 'unlabeled.json']
    arms += finetuned_arms(student, folds, splits, pool)
    return {arm.name: arm for arm in [*arms, *supervised_arms(folds, splits)]}


def seeded_arm(protocol: Arms, teachers: list[Path], name: str) -> Arm:
    """Return one of arms 1, 2, 9 to 12 and 15."""
    if name == 'oracle':
        return Arm(name, SEEDED[name], [protocol.annotations / f'{TRUTH}.json'])
    if name not in MORE_PICTURES:
        return Arm(name, SEEDED[name], [*teachers, protocol.annotations / 'unlabeled.json'])
    pool = larger_pool(protocol, name)
    options = {'train_dataloader.dataset.dataset.ann_file': pool}
    return Arm(name, SEEDED[WITH_FEATURES], [*teachers, pool], options)


def larger_pool(protocol: Arms, arm: str) -> Path:
    """Write the list of the pool's pictures and an arm's further ones, and return its path."""
    pool, *more = (
        json.loads((protocol.annotations / f'{name}.json').read_text(encoding='utf-8'))
        for name in ('unlabeled', *MORE_PICTURES[arm])
    )
    images = pool['images'] + [image for each in more for image in each['images']]
    pictures = [{**each, 'id': n} for n, each in enumerate(images)]
    path = protocol.work_dir / ('larger_pool.json' if arm == LARGER else 'largest_pool.json')
    write_json('--work-dir', path, {**pool, 'images': pictures}, indent=None)
    return path


def split_labels(protocol: Arms, folds: int) -> Path:
    """Split the true labels, and return the folder of the parts."""
    truth = protocol.annotations / f'{TRUTH}.json'
    splits = protocol.work_dir / 'splits'
    percents = [str(percent) for percent in PERCENTS]
    command = tool('split', truth, '--percent', *percents, '--folds', str(folds), '--out', splits)
    last = splits / split_name(folds, PERCENTS[-1], '-unlabeled')
    protocol.stages.run('splitting the labels', command, last, file_fingerprint(truth))
    return splits


def finetuned_arms(student: Arm, folds: int, splits: Path, pool: list[Path]) -> Iterator[Arm]:
    """Yield arms 6 to 8 of each fold, which begin with a student and learn of the pool, too."""
    sources = 'train_dataloader.dataset.datasets'
    for fold, percent in itertools.product(range(1, folds + 1), PERCENTS):
        labelled = splits / split_name(fold, percent)
        rest = splits / split_name(fold, percent, '-unlabeled')
        options = {
            f'{sources}.0.ann_file': labelled,
            f'{sources}.1.dataset.ann_file': rest,
        }
        name, files = finetuned_arm(percent, fold), [*pool, labelled, rest]
        yield Arm(name, 'finetuned', files, options, begins_with=student)


def supervised_arms(folds: int, splits: Path) -> Iterator[Arm]:
    """Yield arms 3 to 5 of each fold, at each learning rate."""
    for rate, percent, fold in itertools.product(SUPERVISED_RATES, PERCENTS, range(1, folds + 1)):
        labelled = splits / split_name(fold, percent)
        options = {
            'train_dataloader.dataset.ann_file': labelled,
            'optim_wrapper.optimizer.lr': rate,
        }
        yield Arm(supervised_arm(percent, fold, rate), 'supervised', [labelled], options)


def semi_supervised_arms(student: Arm, splits: Path) -> list[Arm]:
    """Return arms 13 and 14: MMDetection's mean teacher, from ImageNet and from a student."""
    parts = [splits / split_name(1, SEMI_PERCENT, part) for part in ('', '-unlabeled')]
    options = {
        f'train_dataloader.dataset.datasets.{number}.ann_file': part
        for number, part in enumerate(parts)
    }
    config = 'semi_supervised'
    alone = Arm(SEMI, config, parts, options, scored_by_its_own=True)
    last = read_config(f'{CONFIGS}/{config}.py').finetuned_iters
    shorter = {**options, 'train_cfg.max_iters': last, 'train_cfg.val_begin': last + 1}
    return [alone, replace(alone, name=SEMI_COMPOSED, options=shorter, begins_with=student)]


def best_rate(protocol: Arms, percent: int, folds: int) -> float:
    """Return the learning rate that is better for labels alone, with so many of them."""
    return max(
        SUPERVISED_RATES,
        key=lambda rate: sum(
            protocol.mean(supervised_arm(percent, fold, rate)) for fold in range(1, folds + 1)
        ),
    )


def score_teachers(protocol: Arms, inputs: list[Path]) -> None:
    """Score the teachers and the labels that arm 1 learns from, on val.json."""
    table = protocol.work_dir / 'table.json'
    config = f'{CONFIGS}/composed.py'
    made_by = [config_text(config), *(file_fingerprint(path) for path in inputs)]
    command = tool('evaluate', config, '--out', table)
    protocol.stages.run('scoring teachers and labels', command, table, made_by)
    rows = json.loads(table.read_text(encoding='utf-8'))['rows']
    for name in TEACHERS:
        protocol.found[name] = {key: rows[name][key] for key in ('mAP', 'AP50')}


def split_name(fold: int, percent: int, part: str = '') -> str:
    """Return the name of a file that tools/split.py writes."""
    return f'{TRUTH}.{fold}@{percent}{part}.json'


def supervised_arm(percent: int, fold: int, rate: float) -> str:
    """Return the name of arm 3, 4 or 5."""
    return f'supervised {percent} % fold {fold} lr {rate:g}'


def finetuned_arm(percent: int, fold: int) -> str:
    """Return the name of arm 6, 7 or 8."""
    return f'composed and fine-tuned {percent} % fold {fold}'


def supervised(protocol: Arms, percent: int, folds: int) -> list[float]:
    """Return what labels alone reach in each fold, at the better of the learning rates."""
    rate = best_rate(protocol, percent, folds)
    return [protocol.mean(supervised_arm(percent, fold, rate)) for fold in range(1, folds + 1)]


def finetuned(protocol: Arms, percent: int, folds: int) -> list[float]:
    """Return what is reached in each fold when composing goes before."""
    return [protocol.mean(finetuned_arm(percent, fold)) for fold in range(1, folds + 1)]


def gain(protocol: Arms, percent: int, folds: int) -> float | None:
    """Return what composing adds to a share of the labels, the mean over the folds.

    None if one of its arms was not run.
    """
    arms = [
        name
        for fold in range(1, folds + 1)
        for name in (
            finetuned_arm(percent, fold),
            *(supervised_arm(percent, fold, rate) for rate in SUPERVISED_RATES),
        )
    ]
    if not protocol.found.keys() >= set(arms):
        return None
    ours, theirs = (each(protocol, percent, folds) for each in (finetuned, supervised))
    return statistics.fmean(ours) - statistics.fmean(theirs)


def bars(protocol: Arms, gains: dict[int, float], minutes: float | None) -> dict[str, Bar]:
    """Return what the arms have to reach, of those that were run.

    On two cores, all of them once within some minutes.
    """
    means = {name: protocol.mean(name) for name in SEEDED if protocol.runs(name)}
    found = {}
    if 'oracle' in means:
        oracle = means['oracle']
        for name in (WITH_FEATURES, OF_BOTH, LARGER):
            if name in means:
                ratio = LARGER_RATIO if name == LARGER else ORACLE_RATIO
                found[f'{name} mAP / oracle mAP'] = Bar(means[name] / oracle, ratio)
        found['oracle mAP'] = Bar(oracle, ORACLE)
    for percent, value in gains.items():
        found[f'gain with {percent} % of the labels'] = Bar(value, PAPER_GAINS[percent])
    if means.keys() >= {'composed', 'as in the paper'}:
        more = means['composed'] - means['as in the paper']
        found['composed mAP - mAP as in the paper'] = Bar(more, 1e-3)
    on_cpu = all(each.get('device', CPU) == CPU for each in protocol.found.values())
    if minutes is not None and on_cpu:
        found['minutes'] = Bar(minutes, MINUTES, at_most=True)
    return found


def gain_table(protocol: Arms, gains: dict[int, float], folds: int) -> Table:
    """Return the gains beside the paper's."""
    table = Table('labels', 'supervised', 'composed, fine-tuned', 'gain', "the paper's gain")
    for percent, value in gains.items():
        table.add_row(
            f'{percent} %',
            f'{statistics.fmean(supervised(protocol, percent, folds)):.3f}',
            f'{statistics.fmean(finetuned(protocol, percent, folds)):.3f}',
            f'{value:+.3f}',
            f'{PAPER_GAINS[percent]:+.3f}',
        )
    return table


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
