"""What the demo's student finds as an ONNX file, and how long it takes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from common import ROOT

from mmcompose.commands.config_files import read_compose_config
from mmcompose.commands.export_student import export_student
from mmcompose.commands.load import load
from mmcompose.engine.resolve import resolve
from mmcompose.structures import Detections, Image, iou
from mmcompose.teachers import MMDetTeacher, ONNXTeacher, Teacher
from mmcompose.utils import UserError, problem

CONFIG = 'configs/compose/digits/retinanet-r18_digits-a_yolox-femto_digits-b_atss-r18.py'
PICTURES = 100
# As a test on drawn pictures has it: the same class, place and score.
_SAME_IOU, _SAME_SCORE = 0.99, 1e-3
# Below, which boxes are among the most that a picture may have depends on candidates that the
# checkpoint drops before suppression (`nms_pre`), and the file keeps.
LEAST_SCORE = 0.05


def compare(work_dir: Path, folder: Path) -> dict[str, float]:
    """Compare the demo's student with its ONNX file on the test scenes.

    Args:
        work_dir: What ``make demo`` left.
        folder: Where the ONNX file is written.

    Returns:
        ``agreement``, the share of boxes of ``LEAST_SCORE`` and more that both find, and
        ``agreement of all``; and ms an image of ``student``, ``onnx`` and all ``teachers``.
    """
    checkpoints = sorted((work_dir / 'student').glob('epoch_*.pth'))
    if not checkpoints:
        raise UserError(problem('--digits', str(work_dir), 'has no student; run make demo first'))
    os.chdir(ROOT)
    os.environ['DIGITS_DIR'] = os.path.relpath(work_dir)
    config = read_compose_config(CONFIG)
    student = MMDetTeacher(config=resolve(config).config, checkpoint=str(checkpoints[-1]))
    exported = ONNXTeacher(
        model=str(export_student(str(checkpoints[-1]), str(folder / 'student.onnx')))
    )
    scenes = sorted((work_dir / 'scenes' / 'test').glob('*.jpg'))[:PICTURES]
    images = [Image.of(path) for path in scenes]
    pairs = [(student.predict([each])[0], exported.predict([each])[0]) for each in images]
    teachers = load(config).teachers.values()
    return {
        'agreement': float(np.mean([_agreement(*pair, LEAST_SCORE) for pair in pairs])),
        'agreement of all': float(np.mean([_agreement(*pair, 0) for pair in pairs])),
        'student': _milliseconds(student, images),
        'onnx': _milliseconds(exported, images),
        'teachers': sum(_milliseconds(each, images) for each in teachers),
    }


def _agreement(one: Detections, other: Detections, least: float) -> float:
    """Return the share of boxes from a score on that the other has too, whatever its score."""
    same = iou(one.boxes, other.boxes) > _SAME_IOU
    same &= one.labels[:, None] == other.labels
    same &= np.abs(one.scores[:, None] - other.scores) < _SAME_SCORE
    found = np.concatenate([same.any(1)[one.scores >= least], same.any(0)[other.scores >= least]])
    return float(found.mean()) if len(found) else 1.0


def _milliseconds(teacher: Teacher, images: Sequence[Image]) -> float:
    times = []
    for image in images:
        assert image.pixels.size
        started = time.perf_counter()
        teacher.predict([image])
        times.append(time.perf_counter() - started)
    return median(times[1:]) * 1000
