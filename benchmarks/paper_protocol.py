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
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from arms import Arms, arm_table, seed_table, spread
from common import (
    Bar,
    Stages,
    console,
    exit_on_mistake,
    tool,
    write_results,
)
from rich.table import Table
from voc_teachers import TRUTH, VOC

from mmcompose.utils import UserError, fault, file_fingerprint

CONFIGS = 'configs/compose/protocol'
PERCENTS = (1, 5, 10)
# The paper's gains over supervised training with the same labels, in mAP.
PAPER_GAINS = {1: 0.186, 5: 0.126, 10: 0.081}
# The learning rates that a supervised student with few labels is tried with, where it has most of
# them; the better one is taken with fewer, too. What it is held against has one rate, untried.
SUPERVISED_RATES = (7e-4, 2e-4)
ORACLE_RATIO = 1.0
WITH_FEATURES = 'composed, with features'
# Arms 1, 2, 9 and 10, whose difference is small beside that of two runs: by config.
SEEDED = {
    'composed': 'composed',
    'oracle': 'oracle',
    'as in the paper': 'plain',
    WITH_FEATURES: 'features',
}
MINUTES = 300


def main() -> int:
    """Run every arm that has not been run, and print the table and the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=Path('../shared/data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('../shared/weights'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/protocol'))
    parser.add_argument('--folds', type=int, default=1, help='repeat arms 3 to 8 on other splits')
    parser.add_argument(
        '--seeds', type=int, default=3, help='trainings of each of arms 1, 2, 9, 10'
    )
    parser.add_argument('--jobs', type=int, default=2, help='arms side by side')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument(
        '--scale', type=float, default=1.0, help='of all trainings: 0.005 shows whether they run'
    )
    parser.add_argument('--out', help='default: in benchmarks/results, with --scale in --work-dir')
    args = parser.parse_args()

    if args.device == 'cpu':
        # MMEngine takes a GPU where it sees one.
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    out = args.out and Path(args.out).resolve()
    num_arms = args.seeds * len(SEEDED) + args.folds * (
        2 * len(PERCENTS) + len(SUPERVISED_RATES) - 1
    )
    # The teacher, the splits and the table; each arm is trained and scored.
    protocol, teachers = begin(args.data, args.weights, args.work_dir, args.scale, 3 + 2 * num_arms)
    run_arms(protocol, teachers, args.folds, args.jobs)
    minutes = protocol.stages.minutes
    protocol.stages.together(*seeded_arms(protocol, teachers, args.seeds), width=args.jobs)

    gains = {percent: gain(protocol, percent, args.folds) for percent in PERCENTS}
    console.print(
        arm_table(protocol), seed_table(protocol, SEEDED), gain_table(protocol, gains, args.folds)
    )
    figures = {
        'arms': protocol.found,
        'seeds': {name: spread(protocol.runs(name)) for name in SEEDED},
        'device': args.device,
        'gains': {f'{percent} %': value for percent, value in gains.items()},
        'scale': args.scale,
        'minutes': minutes,
    }
    results = protocol.work_dir if args.scale != 1 else Path('benchmarks/results')
    out = out or results / 'paper_protocol.json'
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
    return Arms(stages, folder, voc.annotations, CONFIGS), [teacher, centernet]


def run_arms(protocol: Arms, teachers: list[Path], folds: int, jobs: int) -> None:
    """Run all arms, so many at a time, and score teachers and labels."""
    pool, truth = (protocol.annotations / f'{name}.json' for name in ('unlabeled', TRUTH))
    inputs = [*teachers, pool]
    splits = split_labels(protocol, folds)
    *fewer, most = PERCENTS

    def compose_and_finetune() -> Path:
        composed = protocol.arm('composed', 'composed', inputs)
        for finetune in finetuned_arms(protocol, folds, splits, [*inputs, composed]):
            finetune()
        return composed

    composed, *_ = protocol.stages.together(
        compose_and_finetune,
        partial(protocol.arm, 'oracle', 'oracle', [truth]),
        partial(protocol.arm, 'as in the paper', 'plain', inputs),
        partial(protocol.arm, WITH_FEATURES, 'features', inputs),
        *supervised_arms(protocol, folds, splits, [most], SUPERVISED_RATES),
        width=jobs,
    )
    rate = best_rate(protocol, folds)
    protocol.stages.together(*supervised_arms(protocol, folds, splits, fewer, [rate]), width=jobs)
    score_teachers(protocol, inputs, composed)


def seeded_arms(protocol: Arms, teachers: list[Path], seeds: int) -> Iterator[Callable[[], Path]]:
    """Yield arms 1, 2, 9 and 10 with the other seeds."""
    pool, truth = (protocol.annotations / f'{name}.json' for name in ('unlabeled', TRUTH))
    for name, config in SEEDED.items():
        inputs = [truth] if name == 'oracle' else [*teachers, pool]
        yield from protocol.other_seeds(name, config, inputs, seeds)


def split_labels(protocol: Arms, folds: int) -> Path:
    """Split the true labels, and return the folder of the parts."""
    truth = protocol.annotations / f'{TRUTH}.json'
    splits = protocol.work_dir / 'splits'
    percents = [str(percent) for percent in PERCENTS]
    command = tool('split', truth, '--percent', *percents, '--folds', str(folds), '--out', splits)
    last = splits / split_name(folds, PERCENTS[-1], '-unlabeled')
    protocol.stages.run('splitting the labels', command, last, file_fingerprint(truth))
    return splits


def finetuned_arms(
    protocol: Arms, folds: int, splits: Path, inputs: list[Path]
) -> Iterator[Callable[[], Path]]:
    """Yield arms 6 to 8 of each fold; the last input is the composed student."""
    sources = 'train_dataloader.dataset.datasets'
    for fold in range(1, folds + 1):
        for percent in PERCENTS:
            labelled = splits / split_name(fold, percent)
            rest = splits / split_name(fold, percent, '-unlabeled')
            options = {
                'load_from': inputs[-1],
                f'{sources}.0.ann_file': labelled,
                f'{sources}.1.dataset.ann_file': rest,
            }
            name = finetuned_arm(percent, fold)
            yield partial(protocol.arm, name, 'finetuned', [*inputs, labelled, rest], options)


def supervised_arms(
    protocol: Arms,
    folds: int,
    splits: Path,
    percents: Sequence[int],
    rates: Sequence[float],
) -> Iterator[Callable[[], Path]]:
    """Yield those of arms 3 to 5 that have so many labels, at learning rates."""
    for rate, percent, fold in itertools.product(rates, percents, range(1, folds + 1)):
        labelled = splits / split_name(fold, percent)
        options = {
            'train_dataloader.dataset.ann_file': labelled,
            'optim_wrapper.optimizer.lr': rate,
        }
        name = supervised_arm(percent, fold, rate)
        yield partial(protocol.arm, name, 'supervised', [labelled], options)


def best_rate(protocol: Arms, folds: int) -> float:
    """Return the learning rate that is better for arm 5."""
    return max(
        SUPERVISED_RATES,
        key=lambda rate: sum(
            protocol.mean(supervised_arm(PERCENTS[-1], fold, rate)) for fold in range(1, folds + 1)
        ),
    )


def score_teachers(protocol: Arms, inputs: list[Path], composed: Path) -> None:
    """Score the teachers and the labels that arm 1 learned from, on val.json."""
    table = protocol.work_dir / 'table.json'
    command = tool('evaluate', f'{CONFIGS}/composed.py', '--student', composed, '--out', table)
    made_by = [file_fingerprint(path) for path in (*inputs, composed)]
    protocol.stages.run('scoring teachers and labels', command, table, made_by)
    rows = json.loads(table.read_text(encoding='utf-8'))['rows']
    for name in ('voc_a', 'coco', 'fused'):
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
    rate = best_rate(protocol, folds)
    return [protocol.mean(supervised_arm(percent, fold, rate)) for fold in range(1, folds + 1)]


def finetuned(protocol: Arms, percent: int, folds: int) -> list[float]:
    """Return what is reached in each fold when composing goes before."""
    return [protocol.mean(finetuned_arm(percent, fold)) for fold in range(1, folds + 1)]


def gain(protocol: Arms, percent: int, folds: int) -> float:
    """Return what composing adds to a share of the labels, the mean over the folds."""
    ours, theirs = (each(protocol, percent, folds) for each in (finetuned, supervised))
    return statistics.fmean(ours) - statistics.fmean(theirs)


def bars(protocol: Arms, gains: dict[int, float], minutes: float) -> dict[str, Bar]:
    """Return what the arms have to reach; all of them once within some minutes."""
    composed, plain = protocol.mean('composed'), protocol.mean('as in the paper')
    return {
        **{
            f'{name} mAP / oracle mAP': Bar(
                protocol.mean(name) / protocol.mean('oracle'), ORACLE_RATIO
            )
            for name in ('composed', WITH_FEATURES)
        },
        **{
            f'gain with {percent} % of the labels': Bar(gains[percent], PAPER_GAINS[percent])
            for percent in PERCENTS
        },
        'composed mAP - mAP as in the paper': Bar(composed - plain, 1e-3),
        'minutes': Bar(minutes, MINUTES, at_most=True),
    }


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
