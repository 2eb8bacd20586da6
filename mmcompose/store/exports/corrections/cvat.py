"""Corrections in CVAT's own XML, "CVAT for images 1.1"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from mmcompose.store.exports.corrections.marked import ARGUMENT, Marked, take_numbers, take_text
from mmcompose.structures import Image
from mmcompose.utils import UserError, no_file, problem

_SIDES = ('xtl', 'ytl', 'xbr', 'ybr')


def read_cvat(path: str, images: Mapping[str, Image]) -> Iterator[Marked]:
    """Yield every picture of the file; a box's ``ignore`` attribute is kept."""
    if not Path(path).is_file():
        raise UserError(no_file(ARGUMENT, path))
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise UserError(problem(ARGUMENT, path, f'is no XML ({error})')) from error
    for number, picture in enumerate(root.iter('image')):
        marked = Marked(take_text(path, f'image {number}', picture.attrib, 'name'))
        for box in picture.findall('box'):
            place = f'a box of {marked.key!r}'
            corners = take_numbers(path, place, box.attrib, _SIDES)
            flag = box.findtext('attribute[@name="ignore"]', 'false')
            name = take_text(path, place, box.attrib, 'label')
            marked.add(corners, name, flag.strip().lower() == 'true')
        yield marked
