"""Draw the picture of the README, and the card's, from what `make demo` left.

    make demo
    python benchmarks/pictures.py      # or: make pictures

Writes docs/images/composition.png: what each teacher, the fused labels and the student find in the
first scenes of handwritten digits that the student never saw. With playwright and Chromium (see
`make test-card`) also docs/images/card.jpg, the pictures of the composition card.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from common import ROOT
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import mmcompose
from mmcompose.commands.config_files import read_compose_config
from mmcompose.engine.resolve import resolve
from mmcompose.structures import Detections, Image
from mmcompose.teachers import MMDetTeacher

CONFIG = 'configs/compose/digits/retinanet-r18_digits-a_yolox-femto_digits-b_atss-r18.py'
# What each panel shows, and the color of its boxes.
PANELS = {
    'a': ('teacher a: 0 to 5', '#0072b2'),
    'b': ('teacher b: 4 to 9', '#e69f00'),
    'fused': ('fused labels', '#009e73'),
    'student': ('student', '#cc79a7'),
}
SCORE = 0.3


def main() -> None:
    """Draw what there is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs' / 'digits')
    parser.add_argument('--out', type=Path, default=ROOT / 'docs' / 'images')
    parser.add_argument('--scenes', type=int, nargs='+', default=[0, 1], help='which test scenes')
    args = parser.parse_args()
    work_dir, out = args.work_dir.resolve(), args.out.resolve()
    os.chdir(ROOT)
    os.environ['DIGITS_DIR'] = os.path.relpath(work_dir)
    out.mkdir(parents=True, exist_ok=True)
    config = read_compose_config(CONFIG)
    checkpoint = max(
        (work_dir / 'student').glob('epoch_*.pth'), key=lambda path: path.stat().st_mtime
    )
    composition = mmcompose.load(config)
    pipeline = composition.fitted_pipeline()
    student = MMDetTeacher(config=resolve(config).config, checkpoint=str(checkpoint))
    scenes = sorted((work_dir / 'scenes' / 'test').glob('*.jpg'))
    rows = []
    for number in args.scenes:
        image = Image.of(scenes[number])
        found = {
            name: composition.class_space.convert(name, teacher.predict([image])[0])
            for name, teacher in composition.teachers.items()
        }
        found['fused'] = composition.predict(image, pipeline)
        found['student'] = student.predict([image])[0]
        rows.append((image, found))
    draw(rows, composition.classes, out / 'composition.png')
    if shutil.which('chromium'):
        page = mmcompose.report(config, str(checkpoint), out=str(work_dir / 'card'), pictures=60)
        photograph(page, out / 'card.jpg', out / 'card_figures.jpg')


def draw(
    rows: Sequence[tuple[Image, dict[str, Detections]]], classes: Sequence[str], out: Path
) -> None:
    """Draw scenes, a row each, with what everybody finds in them."""
    with mpl.rc_context({'font.family': 'sans-serif', 'font.size': 9}):
        size = (2.4 * len(PANELS), 2.45 * len(rows) + 0.2)
        figure = Figure(figsize=size, layout='constrained', dpi=130)
        grid = figure.subplots(len(rows), len(PANELS), squeeze=False)
        for axes, (image, found) in zip(grid, rows, strict=True):
            for one, (name, (_, color)) in zip(axes, PANELS.items(), strict=True):
                _draw_panel(one, image, found[name], classes, color)
        for one, (title, _) in zip(grid[0], PANELS.values(), strict=True):
            one.set_title(title, fontsize=10)
        figure.savefig(out)


def _draw_panel(
    axes: Axes, image: Image, found: Detections, classes: Sequence[str], color: str
) -> None:
    axes.imshow(image.pixels[..., ::-1])
    axes.set_axis_off()
    # The surest last, over the others.
    sure = found[(found.scores >= SCORE) & ~found.is_ignored].sorted()[::-1]
    for (x1, y1, x2, y2), label in zip(sure.boxes.tolist(), sure.labels.tolist(), strict=True):
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=color, lw=1.8))
        box = {'facecolor': color, 'edgecolor': 'none', 'pad': 1.2}
        axes.text(x1, max(y1, 7), classes[label], color='white', va='bottom', bbox=box)


def photograph(page: Path, tiles: Path, figures: Path) -> None:
    """Take a picture of a card's pictures, and one of what it tells of errors."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ['--no-sandbox']
        browser = playwright.chromium.launch(
            executable_path=shutil.which('chromium'), args=arguments
        )
        opened = browser.new_page(viewport={'width': 960, 'height': 700})
        opened.goto(page.as_uri())
        opened.locator('.tile').nth(12).scroll_into_view_if_needed()
        opened.wait_for_timeout(1000)
        opened.screenshot(path=str(tiles), type='jpeg', quality=80)
        first = opened.locator('figure').last.bounding_box()
        last = opened.locator('#figures .note').first.bounding_box()
        assert first is not None and last is not None
        top = first['y'] + opened.evaluate('scrollY')
        height = last['y'] + last['height'] - first['y']
        clip = {'x': 0, 'y': top, 'width': 960, 'height': height}
        opened.screenshot(path=str(figures), type='jpeg', quality=80, full_page=True, clip=clip)
        browser.close()


if __name__ == '__main__':
    main()
