"""Measure labelling against the bare forward passes of its teachers, and processes against one.

    python benchmarks/labeling.py --data VOC --weights WEIGHTS --out …/labeling.json
    python benchmarks/labeling.py --data VOC --weights WEIGHTS --gpu --out …

Bare is decoding and each model's own call, one after another, imports and the loading of weights
left out on both sides: what the first few pictures take is subtracted. On the CPU it is processor
time of one thread, by turns; on a GPU the wall's, against the longer of the forward passes of ready
tensors, in the batches of a part, and of decoding on all cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Bar, console, cores, exit_on_mistake, write_results
from benchmarks.measuring import measured
from benchmarks.sharing_out import processes_speedup, slow_worker
from benchmarks.store_scale import PLAIN
from benchmarks.teacher_overhead import bare_mmdet, bare_session
from mmcompose.composition import Composition
from mmcompose.composition.reading import Reading, Wanted, in_windows
from mmcompose.composition.teacher_times import TeacherTimes
from mmcompose.store import LabelStore
from mmcompose.structures import Image
from mmcompose.structures.image import decode
from mmcompose.teachers import MMDetTeacher, ONNXTeacher, read_config
from mmcompose.teachers.mmdet.model import build_model

# So many pictures first: what they take holds the loading of weights.
FIRST = 16
MEGAPIXELS = (4000, 3000)
TURNS = 3
GPU_MODELS = {
    'YOLOX-Nano': 'mmdet::yolox/yolox_nano_8xb8-300e_coco.py',
    'RetinaNet-R50': 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    'YOLOX-L': 'mmdet::yolox/yolox_l_8xb8-300e_coco.py',
}


def teachers(weights: Path) -> dict[str, dict[str, Any]]:
    """Return an MMDet teacher and two in ONNX."""
    yolox = {'model': str(weights / 'yolox_nano_coco.onnx'), 'decode': 'yolox', 'num_threads': 1}
    centernet = {
        'model': str(weights / 'centernet_mobilenetv3_coco.onnx'),
        'decode': 'ultralytics',
        'preprocess': {'bgr_to_rgb': True, 'channels_last': True},
        'num_threads': 1,
    }
    mmdet = {
        'config': GPU_MODELS['YOLOX-Nano'],
        'checkpoint': str(weights / 'yolox_nano_coco_mmdet.pth'),
    }
    return {
        'mmdet': {'type': 'mmcompose.MMDetTeacher', **mmdet},
        'yolox': {'type': 'mmcompose.ONNXTeacher', 'classes': 'coco', **yolox,
                  'preprocess': {'keep_ratio': True}},
        'centernet': {'type': 'mmcompose.ONNXTeacher', 'classes': 'coco', **centernet},
    }  # fmt: skip


def photos(folder: Path, count: int) -> list[Image]:
    """Return the first photographs of a folder, over and over where there are fewer."""
    paths = sorted(folder.rglob('*.jpg'))[:count]
    sizes = [decode(str(path)).shape for path in paths]
    return [
        Image(f'{number:05d}.jpg', str(paths[row]), sizes[row][1], sizes[row][0])
        for number in range(count)
        for row in [number % len(paths)]
    ]


def enlarged(images: Sequence[Image], folder: Path) -> list[Image]:
    """Write pictures of 12 megapixels, on all cores."""
    folder.mkdir()

    def write(image: Image) -> Image:
        path = str(folder / Path(image.key).name)
        cv2.imwrite(path, cv2.resize(decode(image.path), MEGAPIXELS))
        return Image(image.key, path, *MEGAPIXELS)

    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(write, images))


def label_seconds(
    configs: dict[str, Any], images: Sequence[Image], clock: Callable[[], float], **more: Any
) -> float:
    """Return what it takes to label a picture, the first few left out, which load weights."""
    took = []
    for some in (images[:FIRST], images):
        with tempfile.TemporaryDirectory() as store:
            made = Composition(configs, label_pipeline=PLAIN, store=store, **more)
            begin = clock()
            made.labels(some)
            took.append(clock() - begin)
    return (took[1] - took[0]) / (len(images) - FIRST)


def on_cpu(weights: Path, images: Sequence[Image], each_decodes: bool) -> dict[str, float]:
    """Return seconds a picture of labelling and of bare models.

    Args:
        weights: The folder of the teachers' weights.
        images: The pictures.
        each_decodes: Whether every bare model decodes for itself, as one MMDet pass a teacher does.
    """
    torch.set_num_threads(1)
    configs = teachers(weights)
    made = Composition(configs, label_pipeline=PLAIN, store='unused')
    ready = []
    for name, config in configs.items():
        teacher = made.teachers[name]
        if isinstance(teacher, ONNXTeacher):
            ready.append(bare_session(teacher, config['model']))
        else:
            ready.append(bare_mmdet(config['config'], config['checkpoint']))
    clock = time.process_time
    ours, bare = [], []
    # What is loaded once a process is no part of any turn.
    label_seconds(configs, images[: FIRST + 1], clock, workers=1)
    for _ in range(TURNS):
        ours.append(label_seconds(configs, images, clock, workers=1))
        begin = clock()
        for image in images[FIRST:]:
            for prepare in ready:
                # Bare pixels: each pass decodes once where it is one for itself.
                assert image.pixels.size
                prepare(image)()
                if each_decodes:
                    image.forget_pixels()
            image.forget_pixels()
        bare.append((clock() - begin) / (len(images) - FIRST))
    ratio = float(np.median(np.array(ours) / np.array(bare)))
    return {'labelling': float(np.median(ours)), 'bare': float(np.median(bare)), 'ratio': ratio}


def on_gpu(
    folder: Path, checkpoint: Path | None, name: str, sizes: dict[str, list[Image]]
) -> dict[str, dict[str, Any]]:
    """Return seconds a picture of labelling, of bare forward passes, and of decoding, by size.

    By turns; medians.
    """
    config = GPU_MODELS[name]
    if checkpoint is None:
        checkpoint = folder / f'{name}.pth'
        model = build_model(read_config(config))
        torch.save({'state_dict': model.state_dict(), 'meta': {}}, checkpoint)
    plain = {'config': config, 'checkpoint': str(checkpoint), 'classes': 'coco'}
    teacher = MMDetTeacher(**plain)
    configs = {'one': {'type': 'mmcompose.MMDetTeacher', **plain}}
    figures = {}
    for size, images in sizes.items():
        batches = ready_batches(teacher, images)
        # What is loaded or compiled once a process is no part of any turn.
        label_seconds(configs, images[: FIRST + 1], time.perf_counter)
        turns = np.array(
            [
                (
                    label_seconds(configs, images, time.perf_counter),
                    forward_seconds(teacher, batches) / len(images),
                    decode_seconds(images),
                )
                for _ in range(TURNS)
            ]
        )
        medians = np.median(turns, axis=0).tolist()
        ratio = float(np.median(turns[:, 0] / turns[:, 1:].max(axis=1)))
        names = ('labelling', 'forward', 'decoding')
        figures[size] = {**dict(zip(names, medians, strict=True)), 'ratio': ratio}
        console.print(name, size, figures[size])
    return figures


def ready_batches(teacher: MMDetTeacher, images: Sequence[Image]) -> list[list[Any]]:
    """Return pictures as ready tensors, in the batches of labelling; each shape was run once."""
    reading = Reading({'one': teacher}, TeacherTimes(['one']))
    wanted = (Wanted(image, ('one',)) for image in images)
    prepared = [
        read.prepared['one']
        for _, reads in reading.in_readers(in_windows(wanted), cores(), pin=False)
        for read in reads
    ]
    by_shape: dict[Any, list[Any]] = {}
    for row, each in enumerate(prepared):
        key = (row // LabelStore.part_size, teacher.shape_of(each))
        by_shape.setdefault(key, []).append(each)
    size = teacher.batch_size
    ready = [
        each[start : start + size]
        for each in by_shape.values()
        for start in range(0, len(each), size)
    ]
    first = {teacher.shape_of(batch[0]): batch for batch in reversed(ready)}
    # Weights are loaded, and each shape was there once, before the clock starts.
    forward_seconds(teacher, list(first.values()))
    return ready


@torch.inference_mode()
def forward_seconds(teacher: MMDetTeacher, batches: Sequence[Sequence[Any]]) -> float:
    """Return what ``test_step`` of all batches takes."""
    begin = time.perf_counter()
    for batch in batches:
        teacher._model.test_step(pseudo_collate(batch))
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def decode_seconds(images: Sequence[Image]) -> float:
    """Return seconds a picture of decoding on all cores; OpenCV decodes beside other threads."""
    cv2.setNumThreads(1)
    begin = time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(lambda image: decode(image.path).size, images))
    return (time.perf_counter() - begin) / len(images)


def main() -> int:
    """Measure, print the figures and check the bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--data', type=Path, required=True, help='a folder of photographs')
    parser.add_argument('--weights', type=Path, required=True, help='a folder with the teachers')
    parser.add_argument('--out', type=Path, required=True, help='a JSON file')
    parser.add_argument('--gpu', action='store_true', help='the bars of a GPU, and no others')
    parser.add_argument('--quick', action='store_true', help='a tenth of the pictures')
    args = parser.parse_args()
    less = 10 if args.quick else 1
    data, weights = args.data.resolve(), args.weights.resolve()
    out = args.out.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if not args.gpu:
            return write_results(out, *cpu_bars(folder, data, weights, less))
        # Kept as each comes: a run may be cut off.
        return [write_results(out, *each) for each in gpu_bars(folder, data, weights, less)][-1]


def cpu_bars(
    folder: Path, data: Path, weights: Path, less: int
) -> tuple[dict[str, Any], dict[str, Bar]]:
    """Measure what needs no GPU."""
    small = photos(data, 400 // less)
    large = enlarged(small[: FIRST + 40 // less], folder / 'large')
    figures: dict[str, Any] = {}
    figures['3 teachers, photographs'], _ = measured(on_cpu, weights, small, False)
    console.print(figures)
    figures['3 teachers, 12 megapixels'], _ = measured(on_cpu, weights, large, True)
    console.print(figures['3 teachers, 12 megapixels'])
    (folder / 'slow').mkdir()
    figures['a slow worker'] = slow_worker(folder / 'slow', 20_480 // less)
    console.print(figures['a slow worker'])
    many = photos(data, 2000 // less)
    figures['two workers, times faster'], _ = measured(
        processes_speedup, folder / 'speedup', teachers(weights)['yolox'], many
    )
    faster = 1 / figures['3 teachers, 12 megapixels']['ratio']
    bars = {
        'labelling / bare, 3 teachers': Bar(
            figures['3 teachers, photographs']['ratio'], 1.03, True
        ),
        '12 megapixels, times faster than a pass a teacher': Bar(faster, 1.3),
        'a worker 4 x slower / the bound': Bar(figures['a slow worker']['ratio'], 1.1, True),
        'two workers, times faster': Bar(figures['two workers, times faster'], 1.8),
    }
    return figures, bars


def gpu_bars(
    folder: Path, data: Path, weights: Path, less: int
) -> Iterator[tuple[dict[str, Any], dict[str, Bar]]]:
    """Measure what needs one, and yield all figures so far after each model."""
    small = photos(data, FIRST + 512 // less)
    large = enlarged(small[: FIRST + 256 // less], folder / 'large')
    figures: dict[str, Any] = {}
    bars: dict[str, Bar] = {}
    for name in GPU_MODELS:
        own = weights / 'yolox_nano_coco_mmdet.pth' if name == 'YOLOX-Nano' else None
        sizes = {'320 px': small, '12 megapixels': large}
        found, _ = measured(on_gpu, folder, own, name, sizes)
        for size, each in found.items():
            figures[f'{name}, {size}'] = each
            bars[f'{name}, {size}: labelling / the longer'] = Bar(each['ratio'], 1.15, True)
        yield figures, bars


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
