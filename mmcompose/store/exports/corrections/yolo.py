"""Corrections in YOLO's folder: ``labels/`` and ``data.yaml``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml

from mmcompose.store.exports.corrections.marked import ARGUMENT, Marked
from mmcompose.store.exports.labeled import name_below, shared_root
from mmcompose.store.exports.yolo import ROOT, yolo_stem
from mmcompose.structures import Image
from mmcompose.structures.json_files import read_text
from mmcompose.structures.yolo_lines import read_yolo_lines, yolo_corners
from mmcompose.utils import UserError, no_file, no_folder, problem


def read_yolo(path: str, images: Mapping[str, Image]) -> Iterator[Marked]:
    """Yield every picture that has a text file.

    LabelImg numbers classes by a list of its own, which it writes beside the text files. Names
    begin where ``data.yaml`` has it, and in a folder without that where the pool's differ.
    """
    folder = Path(path) / 'labels'
    if not folder.is_dir():
        raise UserError(no_folder(ARGUMENT, folder))
    about = Path(path) / 'data.yaml'
    content = _content(about) if about.is_file() else {}
    # The pictures of a review may share a folder that those of the whole pool do not.
    root = str(content[ROOT]) if ROOT in content else shared_root(images)
    by_stem: dict[str, list[Image]] = {}
    for image in images.values():
        if (name := name_below(root, image.key)) is not None:
            by_stem.setdefault(yolo_stem(name), []).append(image)
    listed = folder / 'classes.txt'
    if listed.is_file() and 'classes' not in by_stem:
        lines = read_text(ARGUMENT, str(listed)).split('\n')
        names = {number: name.strip() for number, name in enumerate(lines) if name.strip()}
    else:
        listed = about
        names = _names(about, content)
    for file in sorted({*folder.rglob('*.txt')} - {listed}):
        stem = file.relative_to(folder).with_suffix('').as_posix()
        if stem not in by_stem:
            raise UserError(problem(ARGUMENT, stem, 'is no picture of the pool', by_stem))
        image = _picture_of(Path(path) / 'images', stem, by_stem[stem])
        numbered = read_yolo_lines(ARGUMENT, str(file), 'class cx cy w h')
        for number, row in numbered:
            if row[0] not in names:
                expected = (
                    f'has class {row[0]:g} in line {number}, which {listed.name} does not name'
                )
                raise UserError(problem(ARGUMENT, str(file), expected))
        rows = np.array([row for _, row in numbered], np.float64).reshape(-1, 5)
        boxes = yolo_corners(rows[:, 1:], image.width, image.height).tolist()
        found = [names[int(label)] for label in rows[:, 0]]
        yield Marked(image.key, None, boxes, found, [False] * len(boxes))


def _picture_of(folder: Path, stem: str, images: Sequence[Image]) -> Image:
    """Return the picture that a text file is of, where several differ in their ending alone."""
    if len(images) > 1:
        suffixes = {PurePosixPath(image.key).suffix: image for image in images}
        # The pool that links lead to may be elsewhere now.
        images = [e for end, e in suffixes.items() if os.path.lexists(folder / f'{stem}{end}')]
        if len(images) != 1:
            pictures = ', '.join(sorted(each.key for each in suffixes.values()))
            raise UserError(problem(ARGUMENT, stem, f'may be of each of {pictures}'))
    return images[0]


def _content(file: Path) -> dict[str, Any]:
    """Return the content of a ``data.yaml``."""
    try:
        content = yaml.safe_load(read_text(ARGUMENT, str(file)))
    except yaml.YAMLError as error:
        raise UserError(problem(ARGUMENT, str(file), 'is no YAML')) from error
    return content if isinstance(content, dict) else {}


def _names(file: Path, content: Mapping[str, Any]) -> dict[int, str]:
    """Return the class names of a ``data.yaml`` by number."""
    if not file.is_file():
        raise UserError(no_file(ARGUMENT, file))
    names = content.get('names')
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(isinstance(number, int) for number in names):
        expected = 'has no names: a list, or class numbers with the name of each'
        raise UserError(problem(ARGUMENT, str(file), expected))
    return {number: str(name) for number, name in names.items()}
