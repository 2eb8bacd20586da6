"""One network as MMDetection's and as ONNX, and another as ONNX, teach VOC's classes.

    python benchmarks/teachers.py --data VOC --weights WEIGHTS

Prints the composition table of the three on labelled photographs (COCO's names become VOC's through
the class space), how far the two of one network agree, and what a teacher adds to the time of the
bare model: preparing the picture, decoding the outputs, checking the boxes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import ROOT, Bar, console, exit_on_mistake, write_results
from benchmarks.teacher_overhead import overheads
from mmcompose.composition import Composition
from mmcompose.datasets import images_of
from mmcompose.evaluation import composition_table, evaluate
from mmcompose.registry import DATASETS
from mmcompose.structures import Detections, iou
from mmcompose.utils import UserError, fault

YOLOX = 'mmdet::yolox/yolox_nano_8xb8-300e_coco.py'
FILES = {
    'yolox_mmdet': ('mmdet', 'checkpoint', 'yolox_nano_coco_mmdet.pth'),
    'yolox_onnx': ('onnx_yolox', 'model', 'yolox_nano_coco.onnx'),
    'centernet_onnx': ('onnx_decoded', 'model', 'centernet_mobilenetv3_coco.onnx'),
}
# What these weights reach on VOC's classes in other hands, and how near a teacher has to come.
KNOWN_MAP = {'yolox_mmdet': 0.482, 'yolox_onnx': 0.482, 'centernet_onnx': 0.390}
MAP_TOLERANCE = 0.005
SCORE_FLOOR = 0.05
TIMED_IMAGES = 60


def teacher_configs(weights: Path) -> dict[str, dict[str, Any]]:
    """Return the three teachers: ``configs/_base_/teachers`` with these files.

    Raises:
        UserError: If a file is missing.
    """
    configs = {}
    for name, (base, key, file) in FILES.items():
        if not (weights / file).is_file():
            raise UserError(
                fault('', f'{weights / file}: is missing; name its folder with --weights')
            )
        path = ROOT / 'configs' / '_base_' / 'teachers' / f'{base}.py'
        configs[name] = {**Config.fromfile(path).teacher, key: str(weights / file)}
    configs['yolox_mmdet']['config'] = YOLOX
    return configs


def compose(weights: Path, classes: Sequence[str], store: str) -> Composition:
    """Compose the three: COCO's classes by VOC's names, those that VOC lacks dropped."""
    return Composition(
        teachers=teacher_configs(weights),
        class_space={'classes': list(classes), 'aliases': ['voc-coco'], 'on_unmapped': 'drop'},
        label_pipeline=[{'type': 'mmcompose.WeightedBoxesFusion', 'iou_thr': 0.55}],
        store=store,
        workers=1,
    )


def read_truth(data: Path) -> Any:
    """Return the labelled photographs, in the order of the file's own categories."""
    file = data / 'annotations' / 'val.json'
    if not file.is_file():
        raise UserError(fault('', f'{file}: is missing; name its folder with --data'))
    categories = json.loads(file.read_text(encoding='utf-8'))['categories']
    return DATASETS.build(
        {
            'type': 'mmcompose.ClassSpaceDataset',
            'classes': [category['name'] for category in categories],
            'dataset': {
                'type': 'CocoDataset',
                'ann_file': str(file),
                'data_prefix': {'img': f'{data}/images/'},
                'test_mode': True,
            },
        }
    )


def agreement(pairs: Iterable[tuple[Detections, Detections]]) -> dict[str, float]:
    """Compare what two teachers say of each image.

    Returns:
        ``boxes``: how many of either have a score over 0.05; ``matched``: the share of those
        that the other has too, in the same class at IoU ≥ 0.99; ``score_difference``: the
        largest between two that are matched.
    """
    boxes, matched, differences = 0, 0, [0.0]
    for pair in pairs:
        for said, other in (pair, pair[::-1]):
            # Of the other every box counts: its score may lie just under the floor.
            said = said[said.scores > SCORE_FLOOR]
            overlap = iou(said.boxes, other.boxes) * (said.labels[:, None] == other.labels)
            rows, columns = linear_sum_assignment(overlap, maximize=True)
            same = overlap[rows, columns] >= 0.99
            boxes += len(said)
            matched += int(same.sum())
            differences += np.abs(said.scores[rows] - other.scores[columns])[same].tolist()
    return {
        'boxes': boxes,
        'matched': matched / boxes if boxes else float('nan'),
        'score_difference': max(differences),
    }


def bars(figures: Mapping[str, Any]) -> dict[str, Bar]:
    """Return what the teachers have to reach."""
    rows, same = figures['rows'], figures['agreement']
    return {
        **{
            f'{name}: mAP, distance from {known:.3f}': Bar(
                abs(rows[name]['mAP'] - known), MAP_TOLERANCE, at_most=True
            )
            for name, known in KNOWN_MAP.items()
        },
        'MMDet and ONNX: boxes matched at IoU 0.99': Bar(same['matched'], 0.995),
        'MMDet and ONNX: score difference, 1e-3': Bar(
            same['score_difference'] * 1e3, 1.0, at_most=True
        ),
    }


def main() -> int:
    """Score, compare and time the teachers; print the table and the bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, default=Path('data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('checkpoints'))
    parser.add_argument('--out', default='benchmarks/results/teachers.json')
    args = parser.parse_args()

    torch.set_num_threads(1)
    with DefaultScope.overwrite_default_scope('mmdet'), tempfile.TemporaryDirectory() as store:
        truth = read_truth(args.data)
        images = images_of(truth)
        composition = compose(args.weights, truth.metainfo['classes'], store)
        table = evaluate(composition, truth, {})
        console.print(composition_table(table))
        said = composition.predictions(images)
        pairs = ((said['yolox_mmdet'][n], said['yolox_onnx'][n]) for n in range(len(images)))
        figures = {
            'rows': table.to_dict()['rows'],
            'agreement': agreement(pairs),
            'overhead': overheads(composition, images[:TIMED_IMAGES]),
        }
    for name, row in figures['overhead'].items():
        console.print(
            f'{name}: {row["ms"]:.1f} ms an image, the bare model {row["bare_ms"]:.1f} ms: '
            f'{row["ratio"]:.2f} times'
        )
    return write_results(args.out, figures, bars(figures))


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
