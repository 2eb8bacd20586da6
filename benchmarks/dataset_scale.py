"""Measure the datasets of large pools: their start, their memory, and how fast they are read.

    python benchmarks/dataset_scale.py --out benchmarks/results/dataset_scale.json

Writes a list of a million pictures that are not there with labels of ten boxes each, and a folder
of 100,000 small pictures, into a temporary folder. Then a YOLOX-Nano learns from drawn pictures,
step by step, by turns from pseudo-labels and from a CocoDataset; with --gpu it does that alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Bar, console, exit_on_mistake, write_results
from benchmarks.measuring import cpu_seconds, measured, memory_mib, own_mib
from benchmarks.store_scale import CLASSES, HEIGHT, NAMES, PLAIN, WIDTH
from benchmarks.training_step import training_step
from mmcompose.composition import Composition
from mmcompose.store.columns import SCHEMA
from mmcompose.store.detection_table import BATCH_SIZE
from mmcompose.store.mapped_files import write_mapped
from mmcompose.utils import UserError, fault
from tests import toys

IMAGES, FILES, READ, BOXES, STEPS = 1_000_000, 100_000, 20_000, 10, 40
WORKERS = 4


def composition(store: Path) -> dict[str, Any]:
    """Return a composition of one teacher that never predicts."""
    kind = {'type': 'mmcompose.FunctionTeacher', 'function': 'tests.toys.see', 'classes': NAMES}
    teachers = {'t': {**kind, 'arguments': {'colours': ['red']}}}
    plain = {'teachers': teachers, 'label_pipeline': PLAIN, 'store': str(store), 'workers': 1}
    return Composition(**plain).resolved


def pseudo_labeled(folder: Path) -> Any:
    """Build, and not yet start, the dataset of the listed pictures."""
    from mmcompose.datasets import PseudoLabeledDataset

    prefix = {'img': str(folder / 'pool')}
    pool = {'type': 'mmcompose.UnlabeledImages', 'ann_file': str(folder / 'pool.json')}
    dataset = {**pool, 'data_prefix': prefix, 'pipeline': []}
    metainfo = {'classes': NAMES}
    return PseudoLabeledDataset(dataset, composition(folder / 'store'), metainfo=metainfo)


def write_pool(folder: Path, count: int) -> None:
    """Write a COCO json of pictures, and their labels into a store."""
    folder.mkdir()
    with open(folder / 'pool.json', 'w', encoding='utf-8') as file:
        file.write('{"images": [')
        for number in range(count):
            image = {'id': number, 'file_name': f'{number // 1000:04d}/{number:07d}.jpg'}
            size = {'width': WIDTH, 'height': HEIGHT}
            file.write((', ' if number else '') + json.dumps(image | size))
        file.write(']}')
    dataset = pseudo_labeled(folder)
    images, made = dataset.images, dataset.composition
    made.store.begin()
    result = made._maker.label_result(images)
    result.write_learned(made.pipeline.learned)
    labels = made.store.location.local(result.folder)
    write_mapped(labels, label_tables(images.keys), SCHEMA, result.fingerprint)


def label_tables(keys: pa.ChunkedArray) -> Iterator[pa.Table]:
    """Yield labels of pictures as the store has them."""
    random = np.random.default_rng(0)
    for start in range(0, len(keys), BATCH_SIZE):
        rows = len(keys.slice(start, BATCH_SIZE))
        low = random.uniform(0, 0.8, (rows * BOXES, 2))
        corners = np.concatenate([low, low + 0.15], axis=1) * ([WIDTH, HEIGHT] * 2)
        count = rows * BOXES
        values = {
            'boxes': corners.astype(np.float32).reshape(-1),
            'scores': random.uniform(0.5, 1, count).astype(np.float32),
            'labels': random.integers(0, CLASSES, count),
            'votes': np.ones(count, np.bool_),
            'best_score': np.ones(count, np.float32),
            'cluster_size': np.ones(count, np.int64),
            'spread': np.zeros(count, np.float32),
            'ignore': random.uniform(size=count) < 0.2,
        }
        columns: dict[str, Any] = {
            'key': keys.slice(start, rows).cast(pa.string()),
            'width': np.full(rows, WIDTH, np.int32),
            'height': np.full(rows, HEIGHT, np.int32),
            'num_bytes': pa.nulls(rows, pa.int64()),
            'unreadable': pa.nulls(rows, pa.string()),
            'num_teachers': np.ones(rows, np.int32),
            'weights': pa.nulls(rows, SCHEMA.field('weights').type),
        }
        for name, flat in values.items():
            offsets = pa.array(np.arange(rows + 1) * (len(flat) // rows), pa.int64())
            columns[name] = pa.LargeListArray.from_arrays(offsets, pa.array(flat))
        yield pa.table([columns[field.name] for field in SCHEMA], schema=SCHEMA)


def start(folder: Path) -> tuple[float, float, float, list[float]]:
    """Start the dataset, and read it in forked workers.

    Returns:
        Seconds on the wall and of the processor, the peak in MiB before workers are there, and
        the memory that each worker has for itself once it has read a thousand pictures.
    """
    dataset = pseudo_labeled(folder)
    begin, cpu = time.perf_counter(), cpu_seconds()
    dataset.full_init()
    found = len(dataset), dataset.count_boxes().sum()
    assert found[1] == BOXES * found[0], found
    took = time.perf_counter() - begin, cpu_seconds() - cpu
    peak = memory_mib()['VmHWM']
    return *took, peak, [_in_a_fork(dataset, number) for number in range(WORKERS)]


def _in_a_fork(dataset: Any, number: int) -> float:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        rows = np.random.default_rng(number).integers(0, len(dataset), 1000).tolist()
        for row in rows:
            dataset.get_data_info(row)
        os.write(writer, f'{own_mib()}'.encode())
        os._exit(0)
    os.waitpid(child, 0)
    own = float(os.read(reader, 64))
    os.close(reader)
    os.close(writer)
    return own


def read_speed(folder: Path, count: int) -> dict[str, float]:
    """Return how many pictures a second are read by turns of us and of CocoDataset."""
    from mmdet.datasets import CocoDataset

    ours = pseudo_labeled(folder)
    ours.full_init()
    content = json.loads((folder / 'pool.json').read_text(encoding='utf-8'))
    content['categories'] = [{'id': n, 'name': name} for n, name in enumerate(NAMES)]
    content['annotations'] = annotations = []
    for image in content['images']:
        for box, label, *_ in zip(*ours.labels.taught(image['id'])[:2], strict=True):
            x1, y1, x2, y2 = box
            one = {'id': len(annotations), 'image_id': image['id'], 'category_id': label}
            sides = {'bbox': [x1, y1, x2 - x1, y2 - y1], 'area': (x2 - x1) * (y2 - y1)}
            annotations.append(one | sides | {'iscrowd': 0})
    (folder / 'truth.json').write_text(json.dumps(content), encoding='utf-8')
    theirs = CocoDataset(
        ann_file=str(folder / 'truth.json'),
        data_prefix={'img': str(folder / 'pool')},
        metainfo={'classes': NAMES},
    )
    rows = np.random.default_rng(0).permutation(count).tolist()
    rates = []
    for begin in range(0, count, 1000):
        some = rows[begin : begin + 1000]
        rates.append([_rate(ours, some), _rate(theirs, some)])
    own, other = np.median(rates, axis=0)
    ratio = np.median([a / b for a, b in rates])
    return {'ours': float(own), 'CocoDataset': float(other), 'ratio': float(ratio)}


def _rate(dataset: Any, rows: Sequence[int]) -> float:
    begin = time.process_time()
    for row in rows:
        dataset.get_data_info(row)
    return len(rows) / (time.process_time() - begin)


def folder_starts(folder: Path, count: int) -> list[dict[str, float]]:
    """List a folder of pictures twice, the sizes of the first time kept in a store."""
    from mmcompose.datasets import UnlabeledImages

    pool = folder / 'pool'
    toys.draw(pool, 1)
    content = (pool / '000.png').read_bytes()
    for number in range(1, count):
        (pool / f'{number:06d}.png').write_bytes(content)
    starts = []
    for _ in range(2):
        begin, cpu = time.perf_counter(), cpu_seconds()
        index = str(folder / 'store')
        dataset = UnlabeledImages(data_prefix={'img': str(pool)}, index=index)
        assert len(dataset) == count
        starts.append({'s': time.perf_counter() - begin, 'CPU s': cpu_seconds() - cpu})
    return starts


def main() -> int:
    """Measure, print the figures and check the bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--out', type=Path, required=True, help='a JSON file')
    parser.add_argument('--quick', action='store_true', help='a fiftieth of the pictures')
    parser.add_argument('--gpu', action='store_true', help='the bar of a GPU, and no others')
    args = parser.parse_args()
    steps = STEPS // 10 if args.quick else STEPS
    if args.gpu:
        return training_on_gpu(steps, args.out.resolve())
    if torch.cuda.is_available():
        expected = "a training step is to be a CPU's: set CUDA_VISIBLE_DEVICES= (or take --gpu)"
        raise UserError(fault('', expected))
    less = 50 if args.quick else 1
    images, files, read = IMAGES // less, FILES // less, READ // less
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _, written = measured(write_pool, folder / 'large', images)
        console.print(f'labels written, the list read for the first time: {written.rounded}')
        (seconds, cpu, peak, own), _ = measured(start, folder / 'large')
        figures: dict[str, Any] = {
            f'start of {images:,} images': {
                's': seconds, 'CPU s': cpu, 'peak MiB': peak, 'MiB of a worker': own
            }
        }  # fmt: skip
        console.print(figures)
        measured(write_pool, folder / 'small', read)
        figures['get_data_info a second'], _ = measured(read_speed, folder / 'small', read)
        console.print(figures['get_data_info a second'])
        starts, _ = measured(folder_starts, folder / 'files', files)
        figures[f'starts of a folder of {files:,}'] = starts
        console.print(starts)
        taken, _ = measured(training_step, folder / 'steps', steps)
        figures['a training step'] = taken
        console.print(taken)
    slowest = max(each['ratio'] for each in taken.values())
    bars = {
        f'start of {images:,} images, CPU s': Bar(cpu, 10, True),
        f'start of {images:,} images, peak MiB': Bar(peak, 1024, True),
        'largest worker, MiB of its own': Bar(max(own), 40, True),
        'get_data_info / of CocoDataset': Bar(figures['get_data_info a second']['ratio'], 0.8),
        f'second start of a folder of {files:,}, CPU s': Bar(starts[1]['CPU s'], 3, True),
        'a training step / of CocoDataset': Bar(slowest, 1.02, True),
    }
    return write_results(args.out.resolve(), figures, bars)


def training_on_gpu(steps: int, out: Path) -> int:
    """Measure a training step on a GPU.

    Raises:
        UserError: If there is none.
    """
    if not torch.cuda.is_available():
        raise UserError(fault('--gpu', 'this machine has no GPU that PyTorch can use'))
    with tempfile.TemporaryDirectory() as temporary:
        taken, _ = measured(training_step, Path(temporary), steps)
    console.print(taken)
    slowest = max(each['ratio'] for each in taken.values())
    bars = {'a training step on a GPU / of CocoDataset': Bar(slowest, 1.05, True)}
    return write_results(out, {'a training step': taken}, bars)


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
