"""EfficientDet: its size and cost beside the published ones, and that it learns.

``--only complexity`` prints parameters and multiply-adds of D0 to D7; ``--only training`` trains D0
from scratch on the demo's scenes and prints the mAP after each epoch.

The multiply-adds are those of the convolutions, at the published 90 outputs a box (COCO's category
ids); MMEngine's analysis counts a little more for normalisation, pooling and resizing, and prints
that too.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import torch
from common import ROOT, Bar, Stages, console, exit_on_mistake, train, write_results
from mmdet.registry import MODELS
from mmengine.analysis import FlopAnalyzer
from mmengine.config import Config
from mmengine.registry import DefaultScope
from rich.table import Table
from torch import Tensor, nn

import mmcompose.models  # noqa: F401
from mmcompose.utils import file_fingerprint

# Parameters in millions and multiply-adds in billions: arXiv 1911.09070, table 2.
PUBLISHED = {
    'd0': (3.9, 2.5),
    'd1': (6.6, 6.1),
    'd2': (8.1, 11.0),
    'd3': (12.0, 25.0),
    'd4': (21.0, 55.0),
    'd5': (34.0, 135.0),
    'd6': (52.0, 226.0),
    'd7': (52.0, 325.0),
}
PUBLISHED_ROWS = 90
SCENES = ROOT / 'benchmarks' / 'digit_scenes.py'
DIGITS = 'configs/digits/efficientdet-d0_digits-a.py'
LEARNED_MAP = 0.3


class RawOutputs(nn.Module):
    """A detector without what comes before its backbone and after its head."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return class scores and box deltas of each level."""
        return self.detector.bbox_head(self.detector.neck(self.detector.backbone(images)))


def complexity(name: str, num_classes: int = PUBLISHED_ROWS) -> dict[str, float]:
    """Count a model's parameters (millions) and operations (billions).

    Args:
        name: ``'d0'`` to ``'d7'``.
        num_classes: How many.
    """
    config = Config.fromfile(ROOT / f'configs/_base_/models/efficientdet_{name}.py')
    config.model.bbox_head.num_classes = num_classes
    with DefaultScope.overwrite_default_scope('mmdet'):
        detector = MODELS.build(config.model).eval()
    images = torch.zeros(1, 3, *config.image_size)
    # It warns of each operation that it does not count.
    logging.disable(logging.WARNING)
    with torch.no_grad():
        counted = FlopAnalyzer(RawOutputs(detector), images).by_operator()
    logging.disable(logging.NOTSET)
    return {
        'parameters (M)': sum(weight.numel() for weight in detector.parameters()) / 1e6,
        'multiply-adds (G)': counted['conv'] / 1e9,
        'all operations (G)': sum(counted.values()) / 1e9,
    }


def run_complexity(names: list[str]) -> tuple[dict[str, Any], dict[str, Bar]]:
    """Print what each model has beside what is published."""
    table = Table(
        'model', 'parameters', 'published', 'multiply-adds', 'published', 'all operations'
    )
    figures, bars = {}, {}
    for name in names:
        found, published = complexity(name), PUBLISHED[name]
        figures[name] = {**found, 'published': published}
        parameters, multiply_adds, operations = found.values()
        table.add_row(
            name.upper(),
            f'{parameters:.2f} M',
            f'{published[0]:g} M',
            f'{multiply_adds:.2f} B',
            f'{published[1]:g} B',
            f'{operations:.2f} B',
        )
        for what, value, target in zip(('parameters', 'multiply-adds'), found.values(), published):
            # The paper gives two figures of most.
            bars[f'{name} {what}: deviation'] = Bar(abs(value / target - 1), 0.02, at_most=True)
    console.print(table)
    return figures, bars


def run_training(stages: Stages, work_dir: Path) -> tuple[dict[str, Any], dict[str, Bar]]:
    """Train D0 on scenes of digits, and print the mAP after each epoch."""
    annotations = work_dir / 'scenes' / 'annotations'
    command = [sys.executable, SCENES, work_dir / 'scenes']
    drawn = annotations / 'test.json'
    stages.run('drawing scenes of digits', command, drawn, file_fingerprint(SCENES))
    folder = work_dir / 'efficientdet_d0'
    inputs = [annotations / 'teacher_a.json']
    train(stages, 'training EfficientDet-D0', DIGITS, folder, inputs)
    curve = read_curve(folder)
    for epoch, mean in curve.items():
        console.print(f'epoch {epoch}: mAP {mean:.3f}')
    last = list(curve.values())[-1]
    figures = {'config': DIGITS, 'mAP by epoch': curve, 'minutes': stages.minutes}
    return figures, {'mAP on unseen scenes': Bar(last, LEARNED_MAP)}


def read_curve(folder: Path) -> dict[int, float]:
    """Return the mAP after each validation that a training logged, by epoch."""
    curve = {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text(encoding='utf-8').splitlines():
            values = json.loads(line)
            if 'coco/bbox_mAP' in values:
                curve[int(values['step'])] = float(values['coco/bbox_mAP'])
    return curve


def main() -> int:
    """Run one part or both, print the tables and the bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--out', default='benchmarks/results/efficientdet.json', help='a JSON file')
    parser.add_argument('--only', choices=['complexity', 'training'], help='default: both')
    parser.add_argument('--models', nargs='+', default=list(PUBLISHED), choices=list(PUBLISHED))
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'digits')
    args = parser.parse_args()
    out, work_dir = Path(args.out).resolve(), args.work_dir.resolve()
    # Config paths are relative to the repository; the configs read DIGITS_DIR.
    os.chdir(ROOT)
    os.environ['DIGITS_DIR'] = os.path.relpath(work_dir)
    stages = Stages(total=2, logs=work_dir / 'logs')
    figures: dict[str, Any] = {}
    bars: dict[str, Bar] = {}
    if args.only != 'training':
        figures['complexity'], found = run_complexity(args.models)
        bars |= found
    if args.only != 'complexity':
        figures['training'], found = run_training(stages, work_dir)
        bars |= found
    return write_results(out, figures, bars, stages.seconds)


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
