"""Tests of the composition card's files; tests/browser opens the page."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmcompose.composition import Composition
from mmcompose.evaluation import KINDS, CompositionTable, Row, Scores, table_cells
from mmcompose.labeling import FUSED, STUDENT
from mmcompose.reporting import (
    Facts,
    Made,
    Shown,
    choose,
    gather,
    plot_agreement,
    plot_errors,
    plot_labels_per_class,
    plot_per_class,
    plot_scores,
    write_card,
)
from mmcompose.reporting.facts import BINS
from mmcompose.reporting.figures import style, to_svg
from mmcompose.store import DetectionTable
from mmcompose.structures import Image
from tests import toys

HOSTILE = '<script>alert(1)</script> & "$x$" </b>'


@pytest.fixture(scope='module')
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Image]:
    folder = tmp_path_factory.mktemp('pool')
    toys.draw(folder, 12, empty=(3,))
    return toys.images_in(folder)


@pytest.fixture(scope='module')
def composition(tmp_path_factory: pytest.TempPathFactory) -> Composition:
    """Two teachers that share a class; another has a name that would break a careless page."""
    teachers = {name: dict(config) for name, config in toys.TEACHERS.items()}
    teachers['second']['classes'] = [HOSTILE, 'red']
    store = tmp_path_factory.mktemp('store')
    return Composition(**toys.composition(store, teachers=teachers))


@pytest.fixture(scope='module')
def labels(composition: Composition, images: list[Image]) -> DetectionTable:
    return composition.labels(images)


def test_what_is_counted(
    composition: Composition, images: list[Image], labels: DetectionTable
) -> None:
    facts = gather(composition, images, labels)
    assert (facts.num_images, facts.num_empty, facts.num_sampled) == (12, 1, 12)
    assert facts.kept.tolist() == [11, 11, 11] and facts.ignored.sum() == 0
    assert facts.histograms[FUSED].sum() == 33
    assert facts.histograms['first'].sum() == 22
    # Both see red; what only one of them knows is no disagreement.
    np.testing.assert_array_equal(facts.agreement, np.ones((2, 2)))


def test_teachers_are_compared_on_pictures_that_both_predicted_on(tmp_path: Path) -> None:
    drawn = toys.draw(tmp_path / 'pool', 4)
    teachers = {'first': toys.TEACHERS['first'], 'some': toys.replayed(tmp_path, drawn[2:])}
    composition = Composition(**toys.composition(tmp_path / 'store', teachers=teachers))
    images = toys.images_in(tmp_path / 'pool')
    facts = gather(composition, images, composition.labels(images))
    np.testing.assert_array_equal(facts.agreement, np.ones((2, 2)))


def test_the_pictures_of_most_disagreement_come_first(
    composition: Composition, images: list[Image], labels: DetectionTable
) -> None:
    shown = choose(composition, images, labels, most=12)
    assert [each.disagreement for each in shown] == sorted(
        (each.disagreement for each in shown), reverse=True
    )
    some = choose(composition, images, labels, most=6)
    assert [each.image.key for each in some[:3]] == [each.image.key for each in shown[:3]]
    assert len({each.image.key for each in some}) == 6
    # A label that the only teacher who knows it found is not doubtful.
    assert sum(each.doubtful for each in shown) == sum(each.misses for each in shown) == 0


def test_a_teacher_that_did_not_predict_on_a_picture_does_not_dissent(tmp_path: Path) -> None:
    drawn = toys.draw(tmp_path / 'pool', 4)
    images = toys.images_in(tmp_path / 'pool')
    replayed = toys.replayed(tmp_path, drawn[3:])
    teachers = {'first': toys.TEACHERS['first'], 'second': replayed, 'third': replayed}
    composition = Composition(**toys.composition(tmp_path / 'store', teachers=teachers))
    shown = choose(composition, images, composition.labels(images))
    # There all three found the red box, in places a little apart.
    assert shown[0].image.key == '003.png' and shown[0].disagreement > 0
    assert [each.disagreement for each in shown[1:]] == [0, 0, 0]
    assert sum(each.doubtful for each in shown) == 0


def test_an_unreadable_picture_is_neither_shown_nor_counted(tmp_path: Path) -> None:
    toys.draw(tmp_path / 'pool', 4)
    (tmp_path / 'pool' / '001.png').write_bytes(b'no picture')
    images = toys.images_in(tmp_path / 'pool')
    composition = Composition(**toys.composition(tmp_path / 'store', max_unreadable=0.5))
    labels, student = composition.labels(images), composition.teachers['first']
    facts = gather(composition, images, labels, student)
    assert (facts.num_images, facts.num_empty, facts.num_sampled) == (3, 0, 3)
    shown = choose(composition, images, labels, student)
    write_card(tmp_path, Made('card', ''), facts, shown)
    assert sorted(each.image.key for each in shown) == ['000.png', '002.png', '003.png']


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == 'script'
        named = ('src', 'href', 'xlink:href')
        self.addresses += [value or '' for name, value in attrs if name in named]


def test_the_page_needs_no_network_and_takes_names_as_text(
    composition: Composition, images: list[Image], labels: DetectionTable, tmp_path: Path
) -> None:
    made = Made(HOSTILE, 'model = 1', [HOSTILE], {'first': 'FunctionTeacher'}, {'torch': '2'})
    facts = gather(composition, images, labels)
    pictures = choose(composition, images, labels)
    page = write_card(tmp_path, made, facts, pictures).read_text(encoding='utf-8')
    tags = _Tags()
    tags.feed(page)
    assert tags.scripts == 2
    assert [a for a in tags.addresses if not a.startswith(('#', 'data:'))] == []
    assert '<script>alert' not in page
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert text is not None
    data = json.loads(text[1])
    assert data['classes'] == ['green', 'red', HOSTILE]
    assert data['sources'] == ['first', 'second', FUSED]
    assert len(data['pictures']) == 12
    one = next(each for each in data['pictures'] if each['key'] == '000.png')
    assert len(one['boxes'][FUSED]) == 3
    markdown = (tmp_path / 'card.md').read_text(encoding='utf-8')
    assert markdown.startswith('---\nlibrary_name: mmcompose\n')
    assert '- first: `FunctionTeacher`' in markdown
    assert '<script>' not in markdown and '&lt;script&gt;alert(1)' in markdown


def test_the_table_is_that_of_the_terminal(
    composition: Composition, images: list[Image], labels: DetectionTable, tmp_path: Path
) -> None:
    by_class = dict.fromkeys(composition.classes, 0.5)
    rows = [
        Row('first', Scores(0.5, 0.75, by_class, 0.25, 0.4), 2_000_000, 30.0),
        Row(FUSED, Scores(0.5, 0.75, by_class), 2_000_000, 31.0),
        Row(STUDENT, Scores(0.5, 0.75, by_class), 1_000_000, 10.0),
    ]
    table = CompositionTable(rows, {'shared': ['red']})
    made, facts = Made('card', ''), gather(composition, images, labels)
    write_card(tmp_path, made, facts, choose(composition, images, labels), table)
    lines = (tmp_path / 'card.md').read_text(encoding='utf-8').splitlines()
    found = [line for line in lines if line.startswith('| ')]
    head, cells = table_cells(table)
    assert found[:4] == [f'| {" | ".join(row)} |' for row in (head, *cells)]
    assert 'mask mAP' in head
    assert found[4] == (f'| one model in place of 1 |{" - |" * 5} 1.00 of 2.00 M | 10 of 30 |')


def test_the_same_card_has_the_same_bytes(
    composition: Composition, images: list[Image], labels: DetectionTable, tmp_path: Path
) -> None:
    facts = gather(composition, images, labels)
    for name in ('a', 'b'):
        write_card(tmp_path / name, Made('card', ''), facts, choose(composition, images, labels))
    assert (tmp_path / 'a/card.html').read_bytes() == (tmp_path / 'b/card.html').read_bytes()


def test_what_is_known_by_name_only_is_listed(pool: Path, tmp_path: Path) -> None:
    teachers = {name: dict(config) for name, config in toys.TEACHERS.items()}
    teachers['second'] |= {'classes': ['blue', 'red', 'green']}
    composition = Composition(**toys.composition(tmp_path / 'store', teachers=teachers))
    images = toys.images_in(pool)
    facts = gather(composition, images, composition.labels(images))
    write_card(tmp_path, Made('card', ''), facts, [])
    for name in ('card.html', 'card.md'):
        text = (tmp_path / name).read_text(encoding='utf-8')
        assert 'second is an owner by name only of' in text, name


@pytest.mark.parametrize('plot', [plot_labels_per_class, plot_scores, plot_agreement])
def test_plots_take_the_colours_of_the_page(
    plot: object, composition: Composition, images: list[Image], labels: DetectionTable
) -> None:
    assert callable(plot)
    svg = to_svg(plot(gather(composition, images, labels)))
    assert svg.startswith('<svg') and 'currentColor' in svg and '<script>' not in svg


@pytest.mark.parametrize('plot', [plot_labels_per_class, plot_scores, plot_agreement, plot_errors])
def test_names_of_any_length_are_within_the_plot(plot: Any) -> None:
    names = tuple(f'{letter * 60} in some words' for letter in 'wxyz')
    count = len(names)
    boxes = np.arange(count)
    histograms = dict.fromkeys((*names, FUSED), np.ones(BINS, np.int64))
    facts = Facts(names, names, 9, 0, boxes, boxes, histograms, np.ones((count, count)))
    of_errors = {f'{name}, against the truth': dict.fromkeys(KINDS, 1) for name in names}
    figure = plot(of_errors if plot is plot_errors else facts)
    with style():
        figure.draw_without_rendering()
    (axes,) = figure.axes
    # And the axes keep their room.
    assert axes.get_window_extent().height > 1.5 * figure.dpi
    shown = [axes.get_tightbbox(), *(legend.get_window_extent() for legend in figure.legends)]
    for extent in shown:
        assert figure.bbox.x0 - 1 <= extent.x0 and extent.x1 <= figure.bbox.x1 + 1
        assert figure.bbox.y0 - 1 <= extent.y0 and extent.y1 <= figure.bbox.y1 + 1


@pytest.mark.filterwarnings('error')
def test_names_of_any_script_are_left_to_the_browser() -> None:
    counts = np.zeros(1, np.int64)
    svg = to_svg(plot_labels_per_class(Facts(('犬',), ('one',), 3, 3, counts, counts)))
    assert '犬' in svg
    # No boxes are no reason for less than none.
    assert '\u22120.0' not in svg


def test_a_legend_names_teachers_that_begin_with_an_underscore() -> None:
    ones, boxes = np.ones(1, np.int64), np.ones(BINS, np.int64)
    facts = Facts(('cat',), ('_own', 'a'), 1, 0, ones, ones, {'_own': boxes, 'a': boxes})
    assert '>_own<' in to_svg(plot_scores(facts))
    rows = [Row('_own', Scores(0.5, 0.5, {'cat': 0.5}), None, 1.0)]
    assert '>_own<' in to_svg(plot_per_class(CompositionTable(rows, {'shared': ['cat']})))


@pytest.mark.parametrize('size', [(4000, 1), (1, 4000), (1, 1)])
def test_a_picture_of_any_shape_is_shown(size: tuple[int, int]) -> None:
    image = Image.of(np.zeros((*size, 3), np.uint8))
    data = base64.b64decode(Shown(image, {}, 0.0, 0, 0).to_dict(())['jpeg'])
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None and max(pixels.shape[:2]) == min(480, max(size))


def test_one_is_counted_as_one(tmp_path: Path) -> None:
    ones = np.ones(1, np.int64)
    write_card(tmp_path, Made('card', ''), Facts(('cat',), ('a',), 1, 1, ones, ones), [])
    page = ' '.join((tmp_path / 'card.html').read_text(encoding='utf-8').split())
    assert '1 teacher, 1 class, 1 image, 1 label (1 box ignored, 1 image without a label)' in page
    text = ' '.join((tmp_path / 'card.md').read_text(encoding='utf-8').split())
    assert 'of 1 class, composed from 1 teacher on 1 unlabelled image (1 label)' in text
    many = np.full(1203, 2)
    write_card(tmp_path, Made('card', ''), Facts(('cat',) * 1203, ('a',), 9, 0, many, many), [])
    assert '1,203 classes' in (tmp_path / 'card.html').read_text(encoding='utf-8')
