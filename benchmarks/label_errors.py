"""What each kind of wrong label costs the student of the paper protocol.

Its labels are held against the true boxes, and one kind of mistake is mended at a time: wrong
classes, wrong places, boxes of nothing and missed objects (after TIDE, Bolya et al., ECCV 2020).
The student is trained on each as the composed one is, ignore boxes and all; on the labels as they
are; and on the true boxes. ``--scale`` says how much shorter than the protocol's: what is printed
are single runs, and small differences mean nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from arms import Arm, Arms
from common import config_text, console, exit_on_mistake, tool, write_results
from numpy.typing import NDArray
from paper_protocol import CONFIGS, begin
from rich.table import Table
from voc_teachers import TRUTH

from mmcompose.labeling.compute.matching import RIGHT, UNJUDGED, judge, match
from mmcompose.store.exports import to_coco
from mmcompose.structures import Detections, Image, iou
from mmcompose.utils import file_fingerprint, write_json

Boxes = Mapping[str, Detections]

# What a kept box is. NEAR and SAME are TIDE's lower and upper thresholds of IoU.
FOUND, DIFFICULT, CLASS, PLACE, NOTHING = range(5)
NEAR, SAME = 0.1, 0.5
AS_THEY_ARE, TRUE = 'labels as they are', 'true boxes'
SCALE = 0.2


def main() -> int:
    """Mend labels, train on each, and print what comes of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=Path('data/voc'))
    parser.add_argument('--weights', type=Path, default=Path('checkpoints'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/protocol'))
    parser.add_argument('--jobs', type=int, default=2, help='trainings side by side')
    parser.add_argument('--scale', type=float, default=SCALE, help='of the trainings')
    parser.add_argument('--out', help='default: in benchmarks/results; in --work-dir if --scale')
    args = parser.parse_args()

    out = Path(args.out).resolve() if args.out else None
    # The teacher and its labels; each kind, trained and scored.
    total = 2 + 2 * (2 + len(MENDS))
    protocol, teachers = begin(args.data, args.weights, args.work_dir, args.scale, total)
    results = protocol.work_dir if args.scale != SCALE else Path('benchmarks/results')
    protocol = replace(protocol, work_dir=protocol.work_dir / 'label_errors')
    protocol.work_dir.mkdir(parents=True, exist_ok=True)
    files, counts = mended_files(protocol, export(protocol, teachers))
    protocol.stages.together(
        *(partial(train_on, protocol, name, file) for name, file in files.items()),
        width=args.jobs,
    )
    console.print(table(protocol, counts))
    figures = {'arms': protocol.found, 'boxes': counts, 'scale': args.scale}
    return write_results(out or results / 'label_errors.json', figures, {}, protocol.stages.seconds)


def export(protocol: Arms, teachers: list[Path]) -> Path:
    """Write the labels that the composed student learns, as one stage."""
    config = f'{CONFIGS}/composed.py'
    exported = protocol.work_dir / 'labels.json'
    command = tool('export', 'labels', config, '--out', exported)
    inputs = [*teachers, protocol.annotations / 'unlabeled.json']
    made_by = [config_text(config), *(file_fingerprint(path) for path in inputs)]
    protocol.stages.run('labelling the pool', command, exported, made_by)
    return exported


def mended_files(protocol: Arms, exported: Path) -> tuple[dict[str, Path], dict[str, int]]:
    """Write the labels with each kind of mistake mended, and return the files by its name.

    Returns:
        Also how many boxes of each kind there are.
    """
    source = protocol.annotations / f'{TRUTH}.json'
    labels, truth = (json.loads(path.read_text(encoding='utf-8')) for path in (exported, source))
    classes = [category['name'] for category in truth['categories']]
    images = [
        Image(each['file_name'], each['file_name'], each['width'], each['height'])
        for each in truth['images']
    ]
    said, there = (dict(boxes_of(coco, classes)) for coco in (labels, truth))
    found = {key: Diagnosis.of(said[key], boxes) for key, boxes in there.items()}
    written: dict[str, Boxes] = {
        AS_THEY_ARE: said,
        **{name: {key: mend(each) for key, each in found.items()} for name, mend in MENDS.items()},
        TRUE: there,
    }
    files = {}
    for name, boxes in written.items():
        files[name] = protocol.work_dir / f'{name.replace(" ", "_")}.json'
        coco = to_coco(images, [boxes[image.key] for image in images], classes)
        write_json('--work-dir', files[name], coco, indent=None)
    kinds = Counter(kind for each in found.values() for kind in each.kind.tolist())
    counts = {
        AS_THEY_ARE: kinds.total(),
        'wrong classes': kinds[CLASS],
        'wrong places': kinds[PLACE],
        'boxes of nothing': kinds[NOTHING],
        'missed objects': sum(len(each.missed) for each in found.values()),
        TRUE: sum(len(each.kept()) for each in there.values()),
    }
    return files, counts


def train_on(protocol: Arms, name: str, file: Path) -> Path:
    """Train the student on the labels of a file, and score it."""
    options = {'train_dataloader.dataset.ann_file': file}
    return protocol.run(Arm(name, 'labelled', [file], options))


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


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with the labels of one image.

    Args:
        kept: The boxes that are learned.
        ignored: Those that are left out of the loss.
        truth: The true boxes.
        kind: ``(N,)`` for each kept box, what it is.
        target: ``(N,)`` the row of ``truth`` that it found, or would have; -1 for none.
        missed: Rows of ``truth`` that no kept box found, or nearly.
    """

    kept: Detections
    ignored: Detections
    truth: Detections
    kind: NDArray[np.int64]
    target: NDArray[np.int64]
    missed: list[int]

    @classmethod
    def of(cls, said: Detections, truth: Detections) -> Diagnosis:
        """Hold labels against the truth; the most confident boxes take their objects first."""
        kept, ignored = said.kept(), said[said.is_ignored]
        verdicts, target = judge(kept, truth), match(kept, truth)
        kind = np.select([verdicts == RIGHT, verdicts == UNJUDGED], [FOUND, DIFFICULT], NOTHING)
        free = sorted({*np.flatnonzero(~truth.is_ignored).tolist()} - {*target.tolist()})
        overlaps = iou(kept.boxes, truth.boxes)
        same = kept.labels[:, None] == truth.labels[None, :]
        nearly = ((CLASS, (overlaps >= SAME) & ~same), (PLACE, (overlaps >= NEAR) & same))
        for row in np.argsort(-kept.scores, kind='stable'):
            for mistake, fits in nearly:
                objects = [each for each in free if fits[row, each]]
                if kind[row] == NOTHING and objects:
                    kind[row] = mistake
                    target[row] = max(objects, key=lambda each, row=row: overlaps[row, each])
                    free.remove(target[row])
        return cls(kept, ignored, truth, kind, target, free)

    def of_kind(self, *kinds: int) -> NDArray[np.bool_]:
        """Return which kept boxes are of some kinds."""
        return np.isin(self.kind, kinds)

    def right_classes(self) -> Detections:
        """Return the labels, each box on an object of another class with the object's."""
        rows, labels = self.of_kind(CLASS), self.kept.labels.copy()
        labels[rows] = self.truth.labels[self.target[rows]]
        return self._with(replace(self.kept, labels=labels))

    def right_places(self) -> Detections:
        """Return the labels, each box of the right class on or near its object where that is."""
        rows, boxes = self.of_kind(FOUND, PLACE), self.kept.boxes.copy()
        boxes[rows] = self.truth.boxes[self.target[rows]]
        return self._with(replace(self.kept, boxes=boxes))

    def without_boxes_of_nothing(self) -> Detections:
        """Return the labels without second boxes of an object and boxes of none."""
        return self._with(self.kept[~self.of_kind(NOTHING)])

    def with_missed_objects(self) -> Detections:
        """Return the labels, and the true boxes of objects that none of them is on or near."""
        return self._with(self.kept, self.truth[self.missed])

    def _with(self, *kept: Detections) -> Detections:
        return Detections.concatenate([*kept, self.ignored])


MENDS: Mapping[str, Callable[[Diagnosis], Detections]] = {
    'wrong classes': Diagnosis.right_classes,
    'wrong places': Diagnosis.right_places,
    'boxes of nothing': Diagnosis.without_boxes_of_nothing,
    'missed objects': Diagnosis.with_missed_objects,
}


def table(protocol: Arms, counts: Mapping[str, int]) -> Table:
    """Return what the student reaches on each, beside the true boxes."""
    told = Table('labels', 'boxes', 'mAP', 'of the true')
    for name, count in counts.items():
        mean = protocol.mean(name)
        shown = f'{name}, mended' if name in MENDS else name
        told.add_row(shown, str(count), f'{mean:.3f}', f'{mean / protocol.mean(TRUE):.2f}')
    return told


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
