"""Two teachers of six digits each become one student of all ten, without a label: start to end.

Draws scenes of handwritten digits, trains two small detectors of different architectures on them
(one knows 0 to 5, the other 4 to 9), labels a pool of scenes with both, trains a third
architecture on those labels, and an oracle: the same student on the same scenes with their true
labels. Prints the composition table and draws what the student finds in scenes it never saw.

A second run reuses what is finished; delete the work folder to start anew.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from common import (
    ROOT,
    Bar,
    Stages,
    composition_table,
    config_text,
    console,
    exit_on_mistake,
    tool,
    train,
    write_results,
)
from mmdet.apis import inference_detector, init_detector
from mmdet.utils import register_all_modules
from numpy.typing import NDArray

from mmcompose.teachers import allow_mmengine_checkpoints
from mmcompose.utils import file_fingerprint

SCENES = ROOT / 'benchmarks' / 'digit_scenes.py'
TEACHERS = {
    'a': 'configs/digits/retinanet-r18_digits-a.py',
    'b': 'configs/digits/yolox-femto_digits-b.py',
}
STUDENT = 'configs/compose/digits/retinanet-r18_digits-a_yolox-femto_digits-b_atss-r18.py'
ORACLE = 'configs/compose/digits/atss-r18_digits-oracle.py'
MINUTES = 12
GRID = (2, 5)
ZOOM = 3
MIN_SCORE = 0.3


def main() -> int:
    """Run every stage that has not been run, print the table and the bars, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--out', default='benchmarks/results/demo.json', help='a JSON file')
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'digits')
    args = parser.parse_args()
    out, work_dir = Path(args.out).resolve(), args.work_dir.resolve()
    # Config paths are relative to the repository; the configs read DIGITS_DIR.
    os.chdir(ROOT)
    os.environ['DIGITS_DIR'] = os.path.relpath(work_dir)

    stages = Stages(total=7, logs=work_dir / 'logs')
    checkpoints = run_trainings(stages, work_dir)
    teachers = [checkpoints[name] for name in TEACHERS]
    table = composition_table(
        stages,
        STUDENT,
        teachers,
        checkpoints['student'],
        checkpoints['oracle'],
        work_dir / 'table.json',
    )
    # What the student's training left stands alone: no teacher, no composition is opened.
    plain_config = work_dir / 'student' / Path(STUDENT).name
    picture = work_dir / 'student_on_test_scenes.png'
    draw_scenes(plain_config, checkpoints['student'], work_dir / 'scenes' / 'test', picture)
    console.print(f'picture: {picture}', markup=False)
    found = bars(table, stages.minutes)
    return write_results(out, table, found, stages.seconds)


def train_teachers(stages: Stages, work_dir: Path) -> list[Path]:
    """Draw the scenes and train both teachers; return their checkpoints, as of ``TEACHERS``."""
    annotations = work_dir / 'scenes' / 'annotations'
    # The last file that it writes.
    drawn = annotations / 'test.json'
    command = [sys.executable, SCENES, work_dir / 'scenes']
    stages.run('drawing scenes of digits', command, drawn, file_fingerprint(SCENES))
    return stages.together(
        *(
            partial(
                train,
                stages,
                f'training teacher {name}',
                config,
                work_dir / f'teacher_{name}',
                [annotations / f'teacher_{name}.json'],
            )
            for name, config in TEACHERS.items()
        )
    )


def run_trainings(stages: Stages, work_dir: Path) -> dict[str, Path]:
    """Draw the scenes, train teachers, student and oracle; return their checkpoints."""
    teachers = train_teachers(stages, work_dir)
    annotations = work_dir / 'scenes' / 'annotations'
    pool, labels = annotations / 'unlabeled.json', work_dir / 'pseudo_labels.json'
    made_by = [config_text(STUDENT), *(file_fingerprint(path) for path in (pool, *teachers))]
    command = tool('export', 'labels', STUDENT, '--out', labels)
    stages.run('labelling the pool', command, labels, made_by)
    truth = annotations / 'unlabeled_truth.json'
    student, oracle = stages.together(
        partial(train, stages, 'training the student', STUDENT, work_dir / 'student', [labels]),
        partial(train, stages, 'training the oracle', ORACLE, work_dir / 'oracle', [truth]),
    )
    checkpoints = dict(zip(TEACHERS, teachers, strict=True))
    checkpoints |= {'student': student, 'oracle': oracle}
    return checkpoints


def bars(table: dict[str, Any], minutes: float) -> dict[str, Bar]:
    """Return what the composition has to reach."""
    mean = {name: row['mAP'] for name, row in table['rows'].items()}
    return {
        'student mAP / oracle mAP': Bar(mean['student'] / mean['oracle'], 0.95),
        'student mAP - teacher a mAP': Bar(mean['student'] - mean['a'], 0.25),
        'student mAP - teacher b mAP': Bar(mean['student'] - mean['b'], 0.25),
        'minutes': Bar(minutes, MINUTES, at_most=True),
    }


def draw_scenes(config: Path, checkpoint: Path, scenes: Path, out: Path) -> None:
    """Draw what a detector finds in the first test scenes.

    Args:
        config: Its plain MMDetection config.
        checkpoint: Its weights.
        scenes: Folder of the scenes.
        out: The PNG to write.
    """
    register_all_modules()
    allow_mmengine_checkpoints()
    model = init_detector(str(config), str(checkpoint), device='cpu')
    rows, columns = GRID
    tiles = []
    for path in sorted(scenes.glob('*.jpg'))[: rows * columns]:
        found = inference_detector(model, str(path)).pred_instances.numpy()
        found = found[found.scores >= MIN_SCORE]
        names = [model.dataset_meta['classes'][label] for label in found.labels]
        tiles.append(_tile(cv2.imread(str(path)), found.bboxes, names, found.scores))
    strips = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    cv2.imwrite(str(out), np.vstack(strips))


def _tile(
    pixels: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    names: list[str],
    scores: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Return a scene, enlarged, with boxes, and each one's class and score in its corner."""
    tile = cv2.resize(pixels, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
    for box, name, score in zip(boxes, names, scores, strict=True):
        colour = _colour(name)
        left, top, right, bottom = np.rint(box * ZOOM).astype(int).tolist()
        cv2.rectangle(tile, (left, top), (right, bottom), colour, 2, cv2.LINE_AA)
        text = f'{name} {score:.2f}'
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
        # Above the box, or inside it where the picture ends.
        base = top if top > height + 6 else top + height + 6
        start = min(left - 1, tile.shape[1] - width - 5)
        corner = (start + width + 4, base - height - 6)
        cv2.rectangle(tile, (start, base), corner, colour, cv2.FILLED)
        place = (start + 2, base - 4)
        white = (255, 255, 255)
        cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, white, 1, cv2.LINE_AA)
    return cv2.copyMakeBorder(tile, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def _colour(name: str) -> tuple[int, int, int]:
    """Return a dark colour (BGR) of its own for each digit."""
    hsv = np.array([[[int(name) * 18, 230, 150]]], dtype=np.uint8)
    blue, green, red = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
