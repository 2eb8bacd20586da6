"""Corrections in CVAT's own XML, "CVAT for images 1.1"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from mmcompose.store.exports.corrections.marked import ARGUMENT, Marked, take_numbers, take_text
from mmcompose.structures import Image
from mmcompose.utils import UserError, no_file, problem

_SIDES = ('xtl', 'ytl', 'xbr', 'ybr')
# Shapes that are no boxes; a tag is of the whole picture.
_OTHERS = {'polygon', 'polyline', 'points', 'ellipse', 'cuboid', 'mask', 'skeleton'}


def read_cvat(path: str, images: Mapping[str, Image]) -> Iterator[Marked]:
    """Yield every picture of the file; a box's ``ignore`` attribute is kept."""
    if not Path(path).is_file():
        raise UserError(no_file(ARGUMENT, path))
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise UserError(problem(ARGUMENT, path, f'is no XML ({error})')) from error
    for number, picture in enumerate(root.iter('image')):
        place = f'image {number}'
        marked = Marked(take_text(path, place, picture.attrib, 'name'))
        if 'width' in picture.attrib:
            width, height = take_numbers(path, place, picture.attrib, ('width', 'height'))
            marked.size = (width, height)
        marked.others.extend(shape.tag for shape in picture if shape.tag in _OTHERS)
        for box in picture.findall('box'):
            place = f'a box of {marked.key!r}'
            corners = take_numbers(path, place, box.attrib, _SIDES)
            flag = box.findtext('attribute[@name="ignore"]', 'false')
            name = take_text(path, place, box.attrib, 'label')
            (degrees,) = take_numbers(path, place, {'rotation': 0, **box.attrib}, ('rotation',))
            marked.add(corners, name, flag.strip().lower() == 'true', degrees)
        yield marked
