"""The one reader of COCO files: images, categories and annotations, whoever wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmcompose.structures.coco_doubts import check_boxes, doubts_of_kept, without_namesakes
from mmcompose.structures.coco_ids import Entry, Ids
from mmcompose.structures.finite import finite_number
from mmcompose.structures.json_files import read_json
from mmcompose.utils import UserError, examples, problem, warn

# What marks an annotation that detectors are not to learn from.
_FLAGS = ('iscrowd', 'ignore')


@dataclass(frozen=True)
class CocoFile:
    """What a COCO file holds, in one form.

    Args:
        images: Each with ``id``, ``file_name``, and whatever else stands there; ids and names
            are distinct, ``width`` and ``height`` in pixels, or None, where they are not missing.
        categories: Each with ``id`` and ``name``, a string; both distinct.
        annotations: Each with a distinct ``id``, ``image_id`` and ``category_id`` as the images
            and categories have them, ``bbox`` as x, y, width, height of at least a fraction of a
            pixel, and ``area`` over 0; ``iscrowd`` and ``ignore`` are 0 or 1 where they are there.
        lost: What of the file is left out or doubtful, in words, with counts and examples.
        other: The file's other keys.
        is_labeled: Whether the file has a list of annotations, be it an empty one.
    """

    images: list[Entry]
    categories: list[Entry]
    annotations: list[Entry]
    lost: tuple[str, ...] = ()
    other: Entry = field(default_factory=dict)
    is_labeled: bool = True

    @property
    def content(self) -> Entry:
        """The same as one dict, as a COCO file has it."""
        return {
            **self.other,
            'images': self.images,
            'annotations': self.annotations,
            'categories': self.categories,
        }

    @property
    def root_categories(self) -> list[str]:
        """Names of categories that only group others: supercategories without annotations.

        Roboflow puts one first; nobody labels it.
        """
        used = {each['category_id'] for each in self.annotations}
        return roots(self.categories, used)


def roots(categories: Iterable[Entry], used: set[Any]) -> list[str]:
    """Return the names of categories that are supercategory of others, and not used.

    Args:
        categories: Of a :class:`CocoFile`.
        used: The ids that annotations or results have.
    """
    categories = list(categories)
    # Some tools write a list of names there, which is none.
    above = [each.get('supercategory') for each in categories if _is_below_another(each)]
    return [each['name'] for each in categories if each['name'] in above and each['id'] not in used]


def _is_below_another(category: Entry) -> bool:
    return bool(category.get('supercategory') != category['name'])


def read_coco(key: str, path: str, annotations: bool | None = True) -> CocoFile:
    """Read a COCO file, and warn of what of it is left out.

    Args:
        key: The config key or argument that names the file, for messages.
        path: A local path or fsspec URL.
        annotations: Whether annotations and categories are needed; None takes those that are
            there. Defaults to True.

    Raises:
        UserError: If it is no COCO file, or contradicts itself.
    """
    found = parse_coco(read_json(key, path), key, path, annotations)
    for line in found.lost:
        warn(f'{path}: {line}')
    return found


def parse_coco(content: Any, key: str, path: str, annotations: bool | None = True) -> CocoFile:
    """Bring the content of a COCO file into one form; see :func:`read_coco`.

    ``images``, ``categories`` and ``annotations`` may be lists, or dicts by id. Ids may be numbers
    in one place and strings in another. An ``area`` that is missing or not over 0 is the box's.

    Raises:
        UserError: If entries lack what they need, two have one id or name, or near all
            annotations belong to nothing that is listed.
    """
    where = _Where(key, path)
    if not isinstance(content, Mapping) or 'images' not in content:
        raise UserError(problem(key, path, 'is no COCO json: it has no images'))
    images = [_image(each, where, n) for n, each in enumerate(_entries(content, 'images', where))]
    where.check_distinct('images', images, ('id', 'file_name'))
    categories = [
        _category(each, where, n) for n, each in enumerate(_entries(content, 'categories', where))
    ]
    # Where they are not needed, they may be anything.
    read = annotations is not False or isinstance(content.get('annotations'), list)
    listed = list(_entries(content, 'annotations', where)) if read else []
    where.check_distinct('categories', categories, ('id',))
    categories = without_namesakes(categories, listed)
    where.check_distinct('categories', categories, ('name',))
    if annotations and not {'categories', 'annotations'} <= set(content):
        raise UserError(problem(key, path, 'is no COCO json with annotations and categories'))
    other = {
        name: value
        for name, value in content.items()
        if name not in ('images', 'categories', 'annotations')
    }
    is_labeled = content.get('annotations') is not None
    if annotations is False:
        return CocoFile(images, categories, [], (), other, is_labeled)
    kept, lost = _annotations(listed, images, categories, where)
    return CocoFile(images, categories, kept, lost, other, is_labeled)


@dataclass(frozen=True)
class _Where:
    key: str
    path: str

    def wrong(self, place: str, expected: str) -> UserError:
        return UserError(problem(self.key, self.path, f'{expected} in {place}'))

    def check_distinct(self, part: str, entries: list[Entry], names: Iterable[str]) -> None:
        for name in names:
            first: dict[Any, int] = {}
            for number, entry in enumerate(entries):
                before = first.setdefault(entry[name], number)
                if before != number:
                    expected = f'has one {name}, {entry[name]!r}, in {part}[{before}] and'
                    raise UserError(problem(self.key, self.path, f'{expected} {part}[{number}]'))


def _entries(content: Mapping[str, Any], part: str, where: _Where) -> Iterable[Any]:
    found = content.get(part) or []
    if isinstance(found, Mapping):
        # By id, which an entry may then lack.
        return [
            {'id': id_, **entry} if isinstance(entry, Mapping) else {'id': id_, 'name': entry}
            for id_, entry in found.items()
        ]
    if not isinstance(found, list):
        raise UserError(problem(where.key, where.path, f'has {part} that are no list'))
    return found


def _image(entry: Any, where: _Where, number: int) -> Entry:
    place = f'images[{number}]'
    if isinstance(entry, Mapping) and 'file_name' not in entry and 'coco_url' in entry:
        # LVIS 1.0 has no file names; MMDet's LVISV1Dataset makes these.
        name = str(entry['coco_url']).removeprefix('http://images.cocodataset.org/')
        entry = {**entry, 'file_name': name}
    _check_keys(entry, ('id', 'file_name'), place, where)
    name = entry['file_name']
    if not isinstance(name, str) or not name or '\0' in name:
        raise where.wrong(place, f'has no file name but {name!r}')
    sides = {
        name: _side(entry[name], place, where) for name in ('width', 'height') if name in entry
    }
    return {**entry, **sides}


def _side(value: Any, place: str, where: _Where) -> int | None:
    if value is None:
        return None
    number = finite_number(value)
    if number is None or number < 0 or number % 1:
        raise where.wrong(place, f'has no width and height in whole pixels but {value!r}')
    return int(number) or None


def _category(entry: Any, where: _Where, number: int) -> Entry:
    _check_keys(entry, ('id', 'name'), f'categories[{number}]', where)
    return {**entry, 'name': str(entry['name'])}


def _check_keys(entry: Any, names: tuple[str, ...], place: str, where: _Where) -> None:
    if not isinstance(entry, Mapping):
        raise where.wrong(place, 'has no dict')
    if absent := [name for name in names if entry.get(name) is None]:
        raise where.wrong(place, f'has no {" and no ".join(absent)}')
    if not isinstance(entry['id'], (int, float, str)):
        raise where.wrong(place, f'has no id but {entry["id"]!r}')


def _annotations(
    listed: list[Any], images: list[Entry], categories: list[Entry], where: _Where
) -> tuple[list[Entry], tuple[str, ...]]:
    """Return the annotations that belong to an image and have a box, and what is lost."""
    ids = {'image_id': Ids(images), 'category_id': Ids(categories)}
    kept, lost = [], _Lost()
    for number, entry in enumerate(listed):
        place = f'annotations[{number}]'
        if not isinstance(entry, Mapping) or not set(ids) <= set(entry):
            raise where.wrong(place, 'has no image_id and category_id')
        known = {name: each.find(entry[name]) for name, each in ids.items()}
        if known['image_id'] is None:
            lost.add('belong to images that are not listed', f'image {entry["image_id"]!r}')
            continue
        if known['category_id'] is None:
            category = entry['category_id']
            raise where.wrong(place, f'has category {category!r}, which is not listed,')
        box = _box(entry, place, where)
        if box is None:
            lost.add('have no width or no height', place)
            continue
        area = finite_number(entry.get('area'))
        area = area if area is not None and area > 0 else box[2] * box[3]
        flags = {name: _flag(entry[name], name, place, where) for name in _FLAGS if name in entry}
        kept.append({**entry, **known, **flags, 'bbox': box, 'area': area})
    if lost.count and not kept:
        raise UserError(problem(where.key, where.path, f'has no sound annotation: {lost}'))
    check_boxes(kept, images, where.key, where.path)
    return _with_distinct_ids(kept), (*lost.lines, *doubts_of_kept(kept))


def _with_distinct_ids(kept: list[Entry]) -> list[Entry]:
    """Return annotations numbered anew where ids are missing or occur twice: two would be one."""
    ids = [each['id'] for each in kept if isinstance(each.get('id'), (int, float, str))]
    if len(set(ids)) == len(kept):
        return kept
    return [{**each, 'id': number} for number, each in enumerate(kept, start=1)]


def _flag(value: Any, name: str, place: str, where: _Where) -> int:
    """Return 0 or 1; numbers and booleans may be written as text."""
    known = {'': 0, 'false': 0, 'true': 1}
    text = str(value).strip().lower()
    number = known[text] if text in known else finite_number(value)
    if value is not None and number not in (0, 1):
        raise where.wrong(place, f'has {name} {value!r}, which is neither 0 nor 1,')
    return int(number or 0)


def _box(entry: Mapping[str, Any], place: str, where: _Where) -> list[float] | None:
    """Return x, y, width and height; None if there is nothing inside."""
    given = entry.get('bbox')
    if given is None or (isinstance(given, list) and not given):
        return None
    numbers = [finite_number(each) for each in given] if isinstance(given, list) else []
    if len(numbers) != 4 or None in numbers:
        raise where.wrong(place, f'has no bbox of x, y, width, height but {given!r}')
    box = [float(each) for each in numbers if each is not None]
    return box if box[2] > 0 and box[3] > 0 else None


class _Lost:
    """What is left out, by reason."""

    def __init__(self) -> None:
        self._examples: dict[str, list[str]] = {}

    def add(self, reason: str, example: str) -> None:
        self._examples.setdefault(reason, []).append(example)

    @property
    def count(self) -> int:
        return sum(map(len, self._examples.values()))

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(
            f'{len(found)} annotations {reason}, and are left out ({examples(found)})'
            for reason, found in self._examples.items()
        )

    def __str__(self) -> str:
        return '; '.join(self.lines)
