"""Measure the first minute and what comes after: plan, card, review, exports, ONNX.

    python benchmarks/door.py --out benchmarks/results/door.json

Writes 100,000 small pictures into a temporary folder. Opening the card needs playwright and
Chromium (see `make test-card`); the ONNX file is that of the student of `make demo`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import ROOT, Bar, exit_on_mistake, write_results
from mmengine.config import Config
from onnx_student import compare
from review_ranking import average_precisions
from round_trips import lost_boxes

from mmcompose.commands.plan import plan
from mmcompose.composition import Composition
from mmcompose.labeling import FUSED
from mmcompose.reporting import Made, Shown, gather, write_card
from mmcompose.structures import Image
from tests import toys

IMAGES = 100_000
PICTURES = 500


def main() -> int:
    """Measure, and print the bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--out', type=Path, required=True, help='a JSON file')
    parser.add_argument('--digits', type=Path, default=ROOT / 'work_dirs' / 'digits')
    args = parser.parse_args()
    out, digits = args.out.resolve(), args.digits.resolve()
    seconds = {'import': import_seconds()}
    with tempfile.TemporaryDirectory() as folder:
        seconds['plan'] = plan_seconds(Path(folder))
        page = write_large_card(Path(folder) / 'card')
        megabytes = page.stat().st_size / 1e6
        seconds['card'] = open_seconds(page)
        lost = lost_boxes(Path(folder) / 'exports')
        onnx = compare(digits, Path(folder))
    ranked = average_precisions()
    rivals = [value for name, value in ranked.items() if name != 'mmcompose']
    bars = {
        'import mmcompose, s': Bar(seconds['import'], 0.3, at_most=True),
        f'plan over {IMAGES:,} pictures, s': Bar(seconds['plan'], 20, at_most=True),
        f'card of {PICTURES} pictures, MB': Bar(megabytes, 30, at_most=True),
        f'card of {PICTURES} pictures opens, s': Bar(seconds['card'], 2, at_most=True),
        'review: AP over the best of cleanlab': Bar(ranked['mmcompose'] - max(rivals), 0.0),
        'exports: boxes lost': Bar(sum(lost.values()), 0, at_most=True),
        'ONNX: box agreement from 0.05 on': Bar(onnx['agreement'], 0.995),
        'ONNX: ms over those of the teachers': Bar(
            onnx['onnx'] / onnx['teachers'], 1, at_most=True
        ),
    }
    figures = {'megabytes': megabytes, 'review': ranked, 'lost': lost, 'onnx': onnx}
    return write_results(out, figures, bars, seconds)


def import_seconds() -> float:
    """Return the best of five imports in a new process, its start left out."""
    program = (
        'import time; t = time.perf_counter(); import mmcompose; print(time.perf_counter() - t)'
    )
    command = [sys.executable, '-c', program]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(5)]
    return min(float(run.stdout) for run in runs)


def plan_seconds(folder: Path) -> float:
    """Return the time of a plan over a folder of many pictures, without an index."""
    pool = folder / 'pool'
    toys.draw(pool, 1)
    content = (pool / '000.png').read_bytes()
    for number in range(1, IMAGES):
        (pool / f'{number:06d}.png').write_bytes(content)
    dataset = {
        'type': 'mmcompose.PseudoLabeledDataset',
        'dataset': {'type': 'mmcompose.UnlabeledImages', 'data_prefix': {'img': str(pool)}},
        'pipeline': [],
    }
    composition = toys.composition(folder / 'store')
    config = Config({'composition': composition, 'train_dataloader': {'dataset': dataset}})
    started = time.perf_counter()
    made = plan(config)
    assert made.pool is not None and made.pool.num_images == IMAGES
    return time.perf_counter() - started


def write_large_card(folder: Path) -> Path:
    """Write a card of as many pictures as it may have, of the size of photographs."""
    random = np.random.default_rng(0)
    shown = []
    for number in range(PICTURES):
        coarse = random.integers(0, 256, (30, 40, 3), np.uint8)
        pixels = np.ascontiguousarray(np.kron(coarse, np.ones((12, 12, 1), np.uint8)))
        image = Image.of(pixels)
        image.key = f'{number:03d}.jpg'
        found = toys.random_detections(number, 20)
        shown.append(Shown(image, {'one': found, 'two': found, FUSED: found}, 0.5, 0, 0))
    toys.draw(folder / 'pool', 1)
    images = toys.images_in(folder / 'pool')
    composition = Composition(**toys.composition(folder / 'store'))
    facts = gather(composition, images, composition.labels(images))
    return write_card(folder, Made('500 pictures', ''), facts, shown)


def open_seconds(page: Path) -> float:
    """Return how long Chromium takes until the first picture with its boxes is there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which('chromium')
        browser = playwright.chromium.launch(executable_path=path, args=['--no-sandbox'])
        opened = browser.new_page()
        started = time.perf_counter()
        opened.goto(page.as_uri())
        opened.locator('.tile').first.scroll_into_view_if_needed()
        opened.locator('.tile svg').first.wait_for()
        seconds = time.perf_counter() - started
        browser.close()
    return seconds


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
