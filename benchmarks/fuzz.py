"""Fuzz what reads files and answers of others: nothing but a UserError may be raised.

    pip install 'mmcompose[dev]'
    python benchmarks/fuzz.py coco -max_total_time=300

Targets: coco, results, yolo, parquet, answers. Further arguments are libFuzzer's. It ends with
what raised something else, and keeps the bytes that did in ``crash-…``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=['mmcompose.structures', 'mmcompose.teachers',
                                         'mmcompose.store']):  # fmt: skip
    from mmcompose.store import LabelStore
    from mmcompose.structures import Detections, Image
    from mmcompose.structures.coco import parse_coco, read_coco
    from mmcompose.teachers.coco_results.results_json import ResultsJson
    from mmcompose.teachers.coco_results.yolo_texts import YoloTexts
    from mmcompose.teachers.http_server.answers import read_input_name, read_outputs
from mmcompose.utils import UserError

FOLDER = Path(tempfile.mkdtemp(prefix='fuzz-'))
IMAGE = Image('1.jpg', '1.jpg', 96, 64)
KEYS = ('id', 'image_id', 'category_id', 'bbox', 'score', 'file_name', 'width', 'height', 'name',
        'area', 'iscrowd', 'segmentation', 'supercategory')  # fmt: skip
IMAGES = {'images': [{'id': 1, 'file_name': '1.jpg', 'width': 96, 'height': 64}],
          'categories': [{'id': 1, 'name': 'spot'}]}  # fmt: skip


def value(data: Any, depth: int = 0) -> Any:
    """Return some value that JSON holds; often one that stands where it may."""
    kind = data.ConsumeIntInRange(0, 8 if depth < 3 else 6)
    if kind < 3:
        return data.ConsumeIntInRange(-2, 100) if kind else data.ConsumeInt(8)
    if kind < 7:
        plain = (data.ConsumeFloat(), data.ConsumeUnicode(6), None, '1.jpg')
        return plain[kind - 3]
    if kind == 7:
        return [value(data, depth + 1) for _ in range(data.ConsumeIntInRange(0, 5))]
    return entry(data, depth + 1)


def entry(data: Any, depth: int = 0) -> dict[str, Any]:
    """Return a dict of keys that COCO has, with any values."""
    sound = {'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [1, 2, 30, 20], 'score': 0.5,
             'file_name': '1.jpg', 'name': 'spot'}  # fmt: skip
    for _ in range(data.ConsumeIntInRange(0, 4)):
        sound[KEYS[data.ConsumeIntInRange(0, len(KEYS) - 1)]] = value(data, depth + 1)
    return sound


def coco(content: bytes) -> None:
    """Read a COCO json: its bytes, and what they are as JSON."""
    path = FOLDER / 'coco.json'
    path.write_bytes(content)
    _tries(lambda: read_coco('ann_file', str(path)))
    data = atheris.FuzzedDataProvider(content)
    made: dict[str, Any] = {
        name: [entry(data) for _ in range(data.ConsumeIntInRange(0, 3))]
        if data.ConsumeBool()
        else value(data)
        for name in ('images', 'annotations', 'categories')
    }
    _tries(lambda: parse_coco(made, 'ann_file', 'coco.json'))


def results(content: bytes) -> None:
    """Read a results json of one picture."""
    data = atheris.FuzzedDataProvider(content)
    made = [entry(data) for _ in range(data.ConsumeIntInRange(0, 3))]
    (FOLDER / 'results.json').write_text(json.dumps(made))
    (FOLDER / 'images.json').write_text(json.dumps(IMAGES))

    def read() -> None:
        found = ResultsJson(str(FOLDER / 'results.json'), str(FOLDER / 'images.json'), None, False)
        for name in found.entries:
            found.read(name, IMAGE)

    _tries(read)


def yolo(content: bytes) -> None:
    """Read a label text."""
    folder = FOLDER / 'labels'
    folder.mkdir(exist_ok=True)
    (folder / '1.txt').write_bytes(content)
    _tries(lambda: YoloTexts(str(folder), ['spot']).read('1', IMAGE))


def parquet(content: bytes) -> None:
    """Read a part of the store whose bytes are other ones, by a name that fits them."""
    store = LabelStore(FOLDER / 'store')
    store.begin()
    made = store.predictions('a')
    if not made.parts.names():
        made.write('one', [IMAGE], [Detections.from_arrays([[1, 2, 30, 20]], [0.5], [0])])
    sound = (FOLDER / 'store' / made.folder / made.parts.names()[0]).read_bytes()
    data = atheris.FuzzedDataProvider(content)
    changed = bytearray(sound)
    for _ in range(data.ConsumeIntInRange(0, 4)):
        changed[data.ConsumeIntInRange(0, len(changed) - 1)] = data.ConsumeIntInRange(0, 255)
    name = made.parts.names()[0]
    (FOLDER / 'store' / made.folder / name).write_bytes(bytes(changed))
    _tries(lambda: made.parts.rows(name).detections(0))
    (FOLDER / 'store' / made.folder / name).write_bytes(sound)


def answers(content: bytes) -> None:
    """Read a server's answer."""
    data = atheris.FuzzedDataProvider(content)
    output = {'name': 'o', 'datatype': 'FP32', 'shape': [1, 1, 6], 'data': [8, 16, 40, 48, 0.5, 1]}
    for _ in range(data.ConsumeIntInRange(0, 3)):
        name = ('name', 'datatype', 'shape', 'data', 'parameters')[data.ConsumeIntInRange(0, 4)]
        output[name] = value(data)
    body = json.dumps({'outputs': [output, value(data)][: data.ConsumeIntInRange(1, 2)]}).encode()
    for each in (content, body, body + data.ConsumeBytes(40)):
        headers = {'Inference-Header-Content-Length': str(len(body))}
        _tries(lambda each=each: read_outputs({}, each, 'http://a'))
        _tries(lambda each=each, headers=headers: read_outputs(headers, each, 'http://a'))
        _tries(lambda each=each: read_input_name(each, 'http://a'))


def _tries(read: Callable[[], Any]) -> None:
    try:
        read()
    except UserError as error:
        assert all('\n' not in line for line in error.lines), error.lines


TARGETS = {each.__name__: each for each in (coco, results, yolo, parquet, answers)}


def main() -> None:
    """Fuzz a target for as long as libFuzzer's arguments set."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f'name one of {", ".join(TARGETS)}')
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == '__main__':
    main()
