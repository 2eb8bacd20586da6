"""Model Composition's own protocol (Banitalebi-Dehkordi et al., BMVC 2021), on two cores.

A detector of 12 of Pascal VOC's classes and one of COCO's 80, of another architecture and
framework, are composed on unlabelled photographs into a student that knows ImageNet and no
detector. It is held against the same student trained on the true labels, and, fine-tuned with
1, 5 and 10 % of them, against the same student trained on those alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import (
    Bar,
    Stages,
    console,
    exit_on_mistake,
    tool,
    train,
    write_results,
)
from rich.table import Table
from voc_teachers import VOC

from mmcompose.utils import UserError, file_fingerprint

CONFIGS = 'configs/compose/protocol'
TRUTH = 'unlabeled_ground_truth'
PERCENTS = (1, 5, 10)
# The paper's gains over supervised training with the same labels, in mAP.
PAPER_GAINS = {1: 0.186, 5: 0.126, 10: 0.081}
# The learning rates that a supervised student with few labels is tried with; the better one
# counts, so that it is tuned no less than what it is held against.
SUPERVISED_RATES = (7e-4, 2e-4)
ORACLE_RATIO = 1.0
MINUTES = 300


@dataclass
class Protocol:
    """The arms of one run, and what they reached.

    Args:
        stages: The benchmark's stages.
        work_dir: Folder of everything that is made.
        annotations: The data's annotation files.
        found: mAP of each arm on val.json, by name.
    """

    stages: Stages
    work_dir: Path
    annotations: Path
    found: dict[str, dict[str, float]] = field(default_factory=dict)

    def arm(
        self, name: str, config: str, inputs: list[Path], options: dict[str, Any] | None = None
    ) -> Path:
        """Train one arm, if it has not been, tell what it reached, and return its checkpoint."""
        work_dir = self.work_dir / name.replace(' ', '_').replace('%', '')
        checkpoint = train(
            self.stages, name, f'{CONFIGS}/{config}.py', work_dir, inputs, options=options
        )
        self.found[name] = final_metrics(work_dir)
        console.print(f'    {name}: mAP {self.found[name]["mAP"]:.3f}', markup=False)
        return checkpoint

    def mean(self, name: str) -> float:
        """Return an arm's mAP."""
        return self.found[name]['mAP']


def main() -> int:
    """Run every arm that has not been run, and print the table and the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=Path('../shared/data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('../shared/weights'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/protocol'))
    parser.add_argument('--folds', type=int, default=1, help='repeat arms 3 to 8 on other splits')
    parser.add_argument('--out', default='benchmarks/results/paper_protocol.json')
    args = parser.parse_args()

    out = Path(args.out).resolve()
    centernet = args.weights.resolve() / 'centernet_mobilenetv3_coco.onnx'
    if not centernet.is_file():
        raise UserError(f'{centernet}: is missing; name its folder with --weights')
    voc = VOC.at(args.data, args.weights, args.work_dir)
    work_dir, annotations = voc.work_dir, voc.annotations
    os.environ['CENTERNET_COCO'] = str(centernet)

    # The split, and each share's arms.
    fold_stages = len(PERCENTS) * (len(SUPERVISED_RATES) + 1)
    stages = Stages(total=6 + args.folds * fold_stages, logs=work_dir / 'logs')
    protocol = Protocol(stages, work_dir, annotations)
    (teacher,) = voc.train_teachers(stages, 'a')
    teachers = [teacher, centernet, annotations / 'unlabeled.json']
    composed = protocol.arm('composed', 'composed', teachers)
    protocol.arm('oracle', 'oracle', [annotations / f'{TRUTH}.json'])
    splits = split_labels(protocol, args.folds)
    for fold in range(1, args.folds + 1):
        run_fold(protocol, fold, splits, composed)
    protocol.arm('as in the paper', 'plain', teachers)

    table = work_dir / 'table.json'
    command = tool('evaluate', f'{CONFIGS}/composed.py', '--student', composed, '--out', table)
    made_by = [file_fingerprint(path) for path in (*teachers, composed)]
    stages.run('scoring teachers and labels', command, table, made_by)
    rows = json.loads(table.read_text(encoding='utf-8'))['rows']
    for name in ('voc_a', 'coco', 'fused'):
        protocol.found[name] = {key: rows[name][key] for key in ('mAP', 'AP50')}

    gains = {percent: gain(protocol, percent, args.folds) for percent in PERCENTS}
    console.print(arm_table(protocol), gain_table(protocol, gains, args.folds))
    figures = {
        'arms': protocol.found,
        'gains': {f'{percent} %': value for percent, value in gains.items()},
        'minutes': stages.minutes,
    }
    return write_results(out, figures, bars(protocol, gains), stages.seconds)


def split_labels(protocol: Protocol, folds: int) -> Path:
    """Split the true labels, and return the folder of the parts."""
    truth = protocol.annotations / f'{TRUTH}.json'
    splits = protocol.work_dir / 'splits'
    percents = [str(percent) for percent in PERCENTS]
    command = tool('split', truth, '--percent', *percents, '--folds', str(folds), '--out', splits)
    last = splits / split_name(folds, PERCENTS[-1], '-unlabeled')
    protocol.stages.run('splitting the labels', command, last, file_fingerprint(truth))
    return splits


def run_fold(protocol: Protocol, fold: int, splits: Path, composed: Path) -> None:
    """Run arms 3 to 8 on one split of the labels."""
    for percent in PERCENTS:
        labelled = splits / split_name(fold, percent)
        rest = splits / split_name(fold, percent, '-unlabeled')
        os.environ['VOC_LABELED'], os.environ['VOC_REST'] = str(labelled), str(rest)
        os.environ['COMPOSED'] = str(composed)
        for rate in SUPERVISED_RATES:
            protocol.arm(
                supervised_arm(percent, fold, rate),
                'supervised',
                [labelled],
                {'optim_wrapper.optimizer.lr': rate},
            )
        protocol.arm(finetuned_arm(percent, fold), 'finetuned', [labelled, rest, composed])


def split_name(fold: int, percent: int, part: str = '') -> str:
    """Return the name of a file that tools/split.py writes."""
    return f'{TRUTH}.{fold}@{percent}{part}.json'


def supervised_arm(percent: int, fold: int, rate: float) -> str:
    """Return the name of arm 3, 4 or 5."""
    return f'supervised {percent} % fold {fold} lr {rate:g}'


def finetuned_arm(percent: int, fold: int) -> str:
    """Return the name of arm 6, 7 or 8."""
    return f'composed and fine-tuned {percent} % fold {fold}'


def final_metrics(work_dir: Path) -> dict[str, float]:
    """Return mAP and AP50 of a training's last validation, from its log."""
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    lines = [json.loads(line) for log in logs for line in log.read_text('utf-8').splitlines()]
    scored = [line for line in lines if 'coco/bbox_mAP' in line]
    if not scored:
        raise UserError(f'{work_dir}: its log has no validation; delete the folder to train again')
    return {'mAP': scored[-1]['coco/bbox_mAP'], 'AP50': scored[-1]['coco/bbox_mAP_50']}


def supervised(protocol: Protocol, percent: int, fold: int) -> float:
    """Return what labels alone reach, at the better of the learning rates."""
    return max(protocol.mean(supervised_arm(percent, fold, rate)) for rate in SUPERVISED_RATES)


def gain(protocol: Protocol, percent: int, folds: int) -> float:
    """Return what composing adds to a share of the labels, the mean over the folds."""
    return statistics.fmean(
        protocol.mean(finetuned_arm(percent, fold)) - supervised(protocol, percent, fold)
        for fold in range(1, folds + 1)
    )


def bars(protocol: Protocol, gains: dict[int, float]) -> dict[str, Bar]:
    """Return what the arms have to reach."""
    composed, plain = protocol.mean('composed'), protocol.mean('as in the paper')
    return {
        'composed mAP / oracle mAP': Bar(composed / protocol.mean('oracle'), ORACLE_RATIO),
        **{
            f'gain with {percent} % of the labels': Bar(gains[percent], PAPER_GAINS[percent])
            for percent in PERCENTS
        },
        'composed mAP - mAP as in the paper': Bar(composed - plain, 1e-3),
        'minutes': Bar(protocol.stages.minutes, MINUTES, at_most=True),
    }


def arm_table(protocol: Protocol) -> Table:
    """Return the table of all arms."""
    table = Table('arm', 'mAP', 'AP50')
    for name, found in protocol.found.items():
        table.add_row(name, f'{found["mAP"]:.3f}', f'{found["AP50"]:.3f}')
    return table


def gain_table(protocol: Protocol, gains: dict[int, float], folds: int) -> Table:
    """Return the gains beside the paper's."""
    table = Table('labels', 'supervised', 'composed, fine-tuned', 'gain', "the paper's gain")
    for percent, value in gains.items():
        table.add_row(
            f'{percent} %',
            *(f'{statistics.fmean(means):.3f}' for means in _both(protocol, percent, folds)),
            f'{value:+.3f}',
            f'{PAPER_GAINS[percent]:+.3f}',
        )
    return table


def _both(protocol: Protocol, percent: int, folds: int) -> Iterator[list[float]]:
    yield [supervised(protocol, percent, fold) for fold in range(1, folds + 1)]
    yield [protocol.mean(finetuned_arm(percent, fold)) for fold in range(1, folds + 1)]


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
