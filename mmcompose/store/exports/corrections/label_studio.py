"""Corrections in Label Studio's JSON export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmcompose.store.exports.corrections.marked import ARGUMENT, Marked, take_numbers
from mmcompose.store.exports.label_studio import KEY
from mmcompose.structures import Image
from mmcompose.structures.json_files import read_json
from mmcompose.utils import UserError, problem


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
                if isinstance(each, dict) and each.get('type') == 'rectanglelabels':
                    _add(marked, path, f'result[{place}] of tasks[{number}]', each)
            yield marked


def _has_key(task: Any) -> bool:
    data = task.get('data') if isinstance(task, dict) else None
    return isinstance(data, dict) and isinstance(data.get(KEY), str)


def _add(marked: Marked, path: str, place: str, result: Mapping[str, Any]) -> None:
    """Add a rectangle, which is in percent of the picture."""
    value = result.get('value')
    value = value if isinstance(value, dict) else {}
    sides = take_numbers(path, place, result, ('original_width', 'original_height'))
    x, y, width, height = take_numbers(path, place, value, ('x', 'y', 'width', 'height'))
    names = value.get('rectanglelabels')
    if not isinstance(names, list) or not names or not isinstance(names[0], str):
        raise UserError(problem(ARGUMENT, path, f'has no class in {place}'))
    corners = (x, y, x + width, y + height)
    marked.add([each * side / 100 for each, side in zip(corners, sides * 2, strict=True)], names[0])
