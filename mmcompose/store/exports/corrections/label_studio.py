"""Corrections in Label Studio's JSON export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmcompose.store.exports.corrections.marked import ARGUMENT, Marked, take_numbers
from mmcompose.store.exports.label_studio import FOUND_BY, IGNORED, KEY
from mmcompose.structures import Image
from mmcompose.structures.json_files import read_json
from mmcompose.utils import UserError, problem

_BOX = 'rectanglelabels'
# What a region's value has of one of, whatever its kind.
_PLACES = {'x', 'points', 'rle', 'vertices'}


def read_label_studio(path: str, images: Mapping[str, Image]) -> Iterator[Marked]:
    """Yield the pictures of tasks that have an annotation that was not cancelled: its last."""
    tasks = read_json(ARGUMENT, path)
    if not isinstance(tasks, list) or not all(map(_has_key, tasks)):
        expected = f'is no JSON export of tasks that have data.{KEY}'
        raise UserError(problem(ARGUMENT, path, expected))
    for number, task in enumerate(tasks):
        listed = task.get('annotations') or ()
        done = [each for each in listed if isinstance(each, dict) and not each.get('was_cancelled')]
        if done:
            marked = Marked(task['data'][KEY])
            results = done[-1].get('result')
            if not isinstance(results, list):
                raise UserError(
                    problem(ARGUMENT, path, f'has no list of results in tasks[{number}]')
                )
            for place, each in enumerate(results):
                if isinstance(each, dict) and each.get('type') == _BOX:
                    _add(marked, path, f'result[{place}] of tasks[{number}]', each)
            marked.others.extend(_other_regions(results))
            yield marked


def _has_key(task: Any) -> bool:
    data = task.get('data') if isinstance(task, dict) else None
    return isinstance(data, dict) and isinstance(data.get(KEY), str)


def _other_regions(results: Sequence[Any]) -> Iterator[str]:
    """Yield the kind of each region that is no box; choices and texts of a region are none."""
    regions = [each for each in results if isinstance(each, dict) and _is_region(each)]
    boxes = {each.get('id') for each in regions if each.get('type') == _BOX}
    for each in regions:
        if each.get('type') != _BOX and (each.get('id') is None or each['id'] not in boxes):
            yield str(each.get('type'))


def _is_region(result: Mapping[str, Any]) -> bool:
    value = result.get('value')
    return isinstance(value, dict) and not _PLACES.isdisjoint(value)


def _add(marked: Marked, path: str, place: str, result: Mapping[str, Any]) -> None:
    """Add a rectangle, which is in percent of the picture."""
    value = result.get('value')
    value = value if isinstance(value, dict) else {}
    if result.get('image_rotation'):
        raise UserError(problem(ARGUMENT, path, f'has a turned picture in {place}: turn it back'))
    (degrees,) = take_numbers(path, place, {'rotation': 0, **value}, ('rotation',))
    sides = take_numbers(path, place, result, ('original_width', 'original_height'))
    marked.size = (sides[0], sides[1])
    x, y, width, height = take_numbers(path, place, value, ('x', 'y', 'width', 'height'))
    names = value.get('rectanglelabels')
    if not isinstance(names, list) or not names or not isinstance(names[0], str):
        raise UserError(problem(ARGUMENT, path, f'has no class in {place}'))
    corners = (x, y, x + width, y + height)
    box = [each * side / 100 for each, side in zip(corners, sides * 2, strict=True)]
    ignored = IGNORED in _notes(result.get('meta'))
    # It is turned about its upper left corner.
    marked.add(box, names[0], ignored, degrees, (box[0], box[1]))


def _notes(meta: Any) -> list[str]:
    """Return the notes of a region: a list as they were imported, a text where they were edited."""
    notes = meta.get('text') if isinstance(meta, dict) else None
    texts = notes if isinstance(notes, list) else [notes]
    lines = '\n'.join(str(each) for each in texts).replace(',', '\n').splitlines()
    return [line.strip().lower() for line in lines if not line.startswith(FOUND_BY)]
