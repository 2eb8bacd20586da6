"""Tests of the composition card in a browser: switches, filters, keyboard, hostile names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcompose.composition import Composition
from mmcompose.labeling import FUSED
from mmcompose.reporting import Made, Shown, choose, gather, write_card
from mmcompose.structures import Image
from tests import toys

HOSTILE = '<img src=x onerror="window.hit=1"> & "$x$" </b>'


@pytest.fixture(scope='module')
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('card')
    toys.draw(folder / 'pool', 12, empty=(3,))
    images = toys.images_in(folder / 'pool')
    teachers = {name: dict(config) for name, config in toys.TEACHERS.items()}
    teachers['second']['classes'] = [HOSTILE, 'red']
    composition = Composition(**toys.composition(folder / 'store', teachers=teachers))
    labels = composition.labels(images)
    facts = gather(composition, images, labels)
    return write_card(
        folder, Made(HOSTILE, 'a = 1', [HOSTILE]), facts, choose(composition, images, labels)
    )


@pytest.fixture
def page(browser: Any, card: Path) -> Iterator[Any]:
    """The card, opened without a network; whatever its console shows is an error."""
    context = browser.new_context(offline=True, viewport={'width': 1200, 'height': 900})
    opened = context.new_page()
    said: list[str] = []
    opened.on('console', lambda message: said.append(message.text))
    opened.on('pageerror', lambda error: said.append(str(error)))
    opened.goto(card.as_uri())
    yield opened
    assert said == []
    context.close()


def _drawn(page: Any, key: str) -> int:
    tile = page.locator('.tile', has_text=key)
    tile.scroll_into_view_if_needed()
    tile.locator('svg').wait_for()
    return int(tile.locator('rect').count())


def test_boxes_are_switched_by_source(page: Any) -> None:
    assert _drawn(page, '000.png') == 3
    page.get_by_role('button', name='first').click()
    assert _drawn(page, '000.png') == 5
    page.keyboard.press('3')
    assert _drawn(page, '000.png') == 2
    page.get_by_role('button', name='first').click()
    assert _drawn(page, '000.png') == 0


def test_pictures_are_filtered_by_class_and_score(page: Any) -> None:
    assert page.locator('.tile').count() == 12
    page.select_option('#class', label='green')
    assert page.locator('.tile').count() == 11
    assert _drawn(page, '000.png') == 1
    page.fill('#score', '1')
    assert page.locator('.tile').count() == 0


def test_a_picture_is_enlarged_and_the_keyboard_goes_on(page: Any) -> None:
    page.select_option('#order', 'key')
    page.locator('.tile').first.click()
    assert page.locator('#name').inner_text().startswith('000.png (1 of 12)')
    before = page.locator('#stage .picture').bounding_box()['width']
    page.keyboard.press('+')
    assert page.locator('#stage .picture').bounding_box()['width'] > before
    page.keyboard.press('ArrowRight')
    assert page.locator('#name').inner_text().startswith('001.png')
    page.keyboard.press('Escape')
    assert not page.locator('#large').is_visible()


def test_names_are_text(page: Any) -> None:
    assert _drawn(page, '000.png') == 3
    assert page.evaluate('window.hit') is None
    assert page.locator('h1').inner_text() == HOSTILE
    assert page.title() == HOSTILE
    labels = page.locator('.tile text').all_text_contents()
    assert any(text.startswith(HOSTILE) for text in labels)
    assert HOSTILE in page.locator('#class option').all_text_contents()
    plotted = page.locator('figure svg text').all_text_contents()
    assert f'{HOSTILE[:23]}…' in plotted


def test_no_name_leaves_its_picture_on_the_right(page: Any) -> None:
    assert _drawn(page, '000.png') == 3
    names = page.locator('.tile', has_text='000.png').locator('text')
    ends = names.evaluate_all(
        'texts => texts.map(each => each.getBBox()).map(box => box.x + box.width)'
    )
    assert len(ends) == 3 and max(ends) <= 96


def test_light_and_dark(page: Any) -> None:
    paper = 'getComputedStyle(document.body).backgroundColor'
    light = page.evaluate(paper)
    page.get_by_role('button', name='light / dark').click()
    assert page.evaluate(paper) != light


def test_five_hundred_pictures_open_at_once(browser: Any, card: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pool = tmp_path / 'pool'
    pool.mkdir()
    shown = []
    for number in range(500):
        pixels = random.integers(0, 256, (30, 40, 3), np.uint8)
        image = Image.of(np.ascontiguousarray(np.kron(pixels, np.ones((12, 12, 1), np.uint8))))
        image.key = f'{number:03d}.jpg'
        found = toys.random_detections(number, 20)
        shown.append(Shown(image, {'one': found, 'two': found, FUSED: found}, 0.5, 0, 0))
    composition = Composition(**toys.composition(tmp_path / 'store'))
    toys.draw(pool, 1)
    images = toys.images_in(pool)
    facts = gather(composition, images, composition.labels(images))
    page_file = write_card(tmp_path, Made('500', ''), facts, shown)
    assert page_file.stat().st_size < 30e6
    page = browser.new_page()
    started = time.perf_counter()
    page.goto(page_file.as_uri())
    page.locator('.tile').first.scroll_into_view_if_needed()
    page.locator('.tile svg').first.wait_for()
    # On an idle machine 2 s is the goal; `benchmarks` are for exact figures.
    assert time.perf_counter() - started < 10
    assert page.locator('.tile').count() == 500
