"""What each kind of wrong label costs the student: the paper protocol's, on labels mended by truth.

The composed student of ``paper_protocol.py`` and its oracle differ in their labels alone. Here the
labels are mended, one kind of mistake at a time, and the student is trained on each. What it gains
is what that mistake costs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import config_text, console, exit_on_mistake, tool, write_results
from paper_protocol import CONFIGS, TRUTH, Protocol, begin
from rich.table import Table

from mmcompose.labeling.matching import RIGHT, UNJUDGED, judge, match
from mmcompose.structures import Detections
from mmcompose.utils import file_fingerprint, write_json

Boxes = dict[str, Detections]
Mend = Callable[[Detections, Detections], Detections]


def main() -> int:
    """Mend labels, train on each, and print what comes of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=Path('../shared/data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('../shared/weights'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/protocol'))
    parser.add_argument('--jobs', type=int, default=2, help='trainings side by side')
    parser.add_argument('--scale', type=float, default=0.3, help='of the trainings')
    parser.add_argument('--out', default='benchmarks/results/label_errors.json')
    args = parser.parse_args()

    out = Path(args.out).resolve()
    # The labels; and the oracle and each kind, trained and scored.
    total = 1 + 2 * (1 + len(MENDS))
    protocol, teachers = begin(args.data, args.weights, args.work_dir, args.scale, total)
    truth = protocol.annotations / f'{TRUTH}.json'
    files = mended_files(protocol, export(protocol, teachers), truth)
    protocol.stages.together(
        partial(protocol.arm, 'oracle', 'oracle', [truth]),
        *(partial(train_on, protocol, name, file) for name, file in files.items()),
        width=args.jobs,
    )
    console.print(table(protocol))
    figures = {'mAP': {name: protocol.mean(name) for name in protocol.found}, 'scale': args.scale}
    return write_results(out, figures, {}, protocol.stages.seconds)


def export(protocol: Protocol, teachers: list[Path]) -> Path:
    """Write the labels that the composed student learns, as one stage."""
    config = f'{CONFIGS}/composed.py'
    exported = protocol.work_dir / 'labels.json'
    command = tool('label', config, '--export', exported)
    made_by = [config_text(config), *(file_fingerprint(path) for path in teachers)]
    protocol.stages.run('labelling the pool', command, exported, made_by)
    return exported


def mended_files(protocol: Protocol, exported: Path, truth_file: Path) -> dict[str, Path]:
    """Write labels with each kind of mistake mended, and return the files by its name."""
    labels, truth = (
        json.loads(path.read_text(encoding='utf-8')) for path in (exported, truth_file)
    )
    classes = [category['name'] for category in truth['categories']]
    said, there = (dict(boxes_of(coco, classes)) for coco in (labels, truth))
    files = {}
    for name, mend in MENDS.items():
        mended = {key: mend(said[key], found) for key, found in there.items()}
        files[name] = protocol.work_dir / f'{name.replace(" ", "_")}.json'
        write_json('--work-dir', files[name], to_coco(truth, mended), indent=None)
    return files


def train_on(protocol: Protocol, name: str, file: Path) -> Path:
    """Train the student on the labels of a file, and score it."""
    options = {'train_dataloader.dataset.ann_file': file}
    return protocol.arm(name, 'labelled', [file], options)


def boxes_of(coco: Mapping[str, Any], classes: list[str]) -> Iterator[tuple[str, Detections]]:
    """Yield the boxes of each image of a COCO dict, by its file's name."""
    label = {each['id']: classes.index(each['name']) for each in coco['categories']}
    rows: dict[int, list[Mapping[str, Any]]] = {image['id']: [] for image in coco['images']}
    for annotation in coco['annotations']:
        rows[annotation['image_id']].append(annotation)
    for image in coco['images']:
        found = rows[image['id']]
        boxes = np.array([each['bbox'] for each in found], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        yield (
            image['file_name'],
            Detections(
                boxes,
                np.array([each.get('score', 1.0) for each in found], np.float32),
                np.array([label[each['category_id']] for each in found], np.int64),
                ignore=np.array([bool(each['iscrowd']) for each in found], np.bool_),
            ),
        )


def to_coco(truth: Mapping[str, Any], boxes: Boxes) -> dict[str, Any]:
    """Return the images and categories of a COCO dict with other boxes."""
    ids = [category['id'] for category in truth['categories']]
    annotations: list[dict[str, Any]] = []
    for image in truth['images']:
        found = boxes[image['file_name']]
        assert found.ignore is not None
        for (x1, y1, x2, y2), label, ignored in zip(
            found.boxes.tolist(), found.labels.tolist(), found.ignore.tolist(), strict=True
        ):
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': image['id'],
                    'category_id': ids[label],
                    'bbox': [x1, y1, x2 - x1, y2 - y1],
                    'area': (x2 - x1) * (y2 - y1),
                    'iscrowd': int(ignored),
                }
            )
    return {**truth, 'annotations': annotations}


def as_they_are(said: Detections, truth: Detections) -> Detections:
    """Return the labels."""
    return said


def without_wrong_boxes(said: Detections, truth: Detections) -> Detections:
    """Return the labels without kept boxes that are not there, or of another class."""
    kept, ignored = _parts(said)
    verdicts = judge(kept, truth)
    return Detections.concatenate([kept[(verdicts == RIGHT) | (verdicts == UNJUDGED)], ignored])


def with_missed_boxes(said: Detections, truth: Detections) -> Detections:
    """Return the labels and the true boxes that no kept one found."""
    kept, _ = _parts(said)
    matched = match(kept, truth)
    missed = np.setdiff1d(np.flatnonzero(~_flags(truth)), matched)
    return Detections.concatenate([said, truth[missed]])


def in_their_true_place(said: Detections, truth: Detections) -> Detections:
    """Return the labels, the right ones with the coordinates of the true boxes."""
    kept, ignored = _parts(said)
    matched = match(kept, truth)
    right = matched >= 0
    boxes = kept.boxes.copy()
    boxes[right] = truth.boxes[matched[right]]
    return Detections.concatenate([replace(kept, boxes=boxes), ignored])


def _parts(said: Detections) -> tuple[Detections, Detections]:
    ignored = _flags(said)
    return said[~ignored], said[ignored]


def _flags(boxes: Detections) -> Any:
    return np.zeros(len(boxes), np.bool_) if boxes.ignore is None else boxes.ignore


MENDS: Mapping[str, Mend] = {
    'labels as they are': as_they_are,
    'without wrong boxes': without_wrong_boxes,
    'with missed boxes': with_missed_boxes,
    'in their true place': in_their_true_place,
}


def table(protocol: Protocol) -> Table:
    """Return what the student reaches on each, beside the true labels'."""
    told = Table('labels', 'mAP', 'of the true labels')
    for name in (*MENDS, 'oracle'):
        mean = protocol.mean(name)
        told.add_row(name, f'{mean:.3f}', f'{mean / protocol.mean("oracle"):.2f}')
    return told


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
