"""What a teacher adds to the time of the bare model, measured in turn with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from mmcv.transforms import Compose
from mmdet.apis import inference_detector, init_detector

from mmcompose.composition import Composition
from mmcompose.structures import Image
from mmcompose.teachers import ONNXTeacher, Teacher, allow_mmengine_checkpoints, read_config

# Takes an image, and returns the call to be timed.
Ready: TypeAlias = Callable[[Image], Callable[[], Any]]


def bare_mmdet(config: str, checkpoint: str) -> Ready:
    """Run MMDetection's own inference, its pipeline built beforehand."""
    allow_mmengine_checkpoints()
    read = read_config(config)
    model = init_detector(read, checkpoint, palette='random', device='cpu')
    steps = read.test_dataloader.dataset.pipeline
    pipeline = Compose([{**steps[0], 'type': 'mmdet.LoadImageFromNDArray'}, *steps[1:]])
    return lambda image: lambda: inference_detector(model, image.pixels, pipeline)


def bare_session(teacher: ONNXTeacher, path: str) -> Ready:
    """Run a session of the model and nothing else, on what the teacher prepares for it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    (taken,) = session.get_inputs()

    def ready(image: Image) -> Callable[[], Any]:
        array, _ = teacher._preprocess(image.pixels)
        feed = {taken.name: array[None].astype(np.float32)}
        return lambda: session.run(None, feed)

    return ready


def overheads(composition: Composition, images: Sequence[Image]) -> dict[str, dict[str, float]]:
    """Time each teacher against its bare model, one decoded image at a time, on one thread."""
    found = {}
    for name, config in composition.resolved['teachers'].items():
        teacher = composition.teachers[name]
        if isinstance(teacher, ONNXTeacher):
            ready = bare_session(teacher, config['model'])
        else:
            ready = bare_mmdet(config['config'], config['checkpoint'])
        found[name] = _overhead(teacher, ready, images)
    return found


def _overhead(teacher: Teacher, ready: Ready, images: Sequence[Image]) -> dict[str, float]:
    rows = []
    for image in images:
        bare = ready(image)
        # They take turns, so that whatever else the machine does slows both.
        rows.append((_ms(lambda: teacher.predict([image])), _ms(bare)))
        image.forget_pixels()
    # The first loads the weights.
    times = np.array(rows[1:])
    teacher_ms, bare_ms = np.median(times, axis=0)
    ratio = np.median(times[:, 0] / times[:, 1])
    return {'ms': float(teacher_ms), 'bare_ms': float(bare_ms), 'ratio': float(ratio)}


def _ms(call: Callable[[], Any]) -> float:
    """Return the processor time of a call: a second thread would count too."""
    begin = time.process_time()
    call()
    return (time.process_time() - begin) * 1000
