"""What in a COCO file can be read, and is likely not meant."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmcompose.structures.box_forms import XYWH, other_form
from mmcompose.structures.coco_ids import Entry, Ids
from mmcompose.structures.repeats import is_repeated
from mmcompose.utils import doubt, examples, problem


def check_boxes(kept: Sequence[Entry], images: Sequence[Entry], key: str, path: str) -> None:
    """Look whether boxes can be x, y, width and height in pixels.

    Args:
        kept: The annotations.
        images: The images, of which some may have no size.
        key: The config key or argument that names the file, for messages.
        path: The file.

    Raises:
        UserError: If not; it may be allowed.
    """
    boxes = [each['bbox'] for each in kept]
    is_relative = all(max(box) <= 1 for box in boxes) and any(side % 1 for b in boxes for side in b)
    if kept and is_relative:
        expected = f'has {len(kept)} boxes from 0 to 1, relative to the picture, where COCO has'
        doubt('relative-boxes', problem(key, path, f'{expected} pixels'))
    size_of = {each['id']: [each.get(side) or 0 for side in ('width', 'height')] for each in images}
    sizes = [size_of[each['image_id']] for each in kept]
    if (other := other_form(boxes, sizes, XYWH)) is not None:
        expected = f'has boxes that leave their pictures as {XYWH}, and not as {other}'
        doubt('box-form', problem(key, path, expected))


def doubts_of_kept(kept: Sequence[Entry]) -> Iterator[str]:
    """Yield what is doubtful of the annotations that are kept, a line each."""
    if not kept:
        yield 'it holds no annotation'
    ids = Counter(each['id'] for each in kept if isinstance(each.get('id'), (int, float, str)))
    if twice := [f'id {id_!r}' for id_, times in ids.items() if times > 1]:
        yield f'{len(twice)} ids are of two annotations or more; all are read ({examples(twice)})'
    if is_repeated((each['image_id'], each['category_id'], *each['bbox']) for each in kept):
        yield f'each of its {len(kept)} annotations is there twice or more'


def without_namesakes(categories: Sequence[Entry], listed: Sequence[Any]) -> list[Entry]:
    """Return categories without those that only group others, and are named like one of them.

    Roboflow names a project's root as the project, which often has the name of its only class.
    """
    by_name: dict[str, list[Entry]] = defaultdict(list)
    for each in categories:
        by_name[each['name']].append(each)
    ids = Ids(categories)
    used = {ids.find(each.get('category_id')) for each in listed if isinstance(each, Mapping)}
    left_out = [
        each['id']
        for name, same in by_name.items()
        if any(each.get('supercategory') == name for each in same)
        for each in same
        if each.get('supercategory') != name and each['id'] not in used
    ]
    return [each for each in categories if each['id'] not in left_out]
