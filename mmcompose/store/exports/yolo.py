"""YOLO's folder: a text file a picture, ``data.yaml``, and links to the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import yaml

from mmcompose.store.exports.labeled import Labeled, is_local, link_picture
from mmcompose.structures import Detections, Image
from mmcompose.utils import atomic_write, warn

ROOT = 'mmcompose_root'


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Writes what no plain text of YAML holds, such as U+0085, as its code."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar('tag:yaml.org,2002:str', text, style)


_Dumper.add_representer(str, _represent)


def write_yolo(labeled: Labeled, folder: Path) -> Iterator[Path]:
    """Write ``labels/``, ``images/`` and ``data.yaml``, which Ultralytics trains from.

    A line is ``class cx cy width height``, relative to the picture's size. There is no room for
    scores, and ignore boxes are left out. Pictures are linked where their files are local. Of
    pictures that are URLs, ``data.yaml`` has where their names begin, by which corrections find
    their way back.

    Yields:
        Text files and links.
    """
    labeled.stems()
    elsewhere = 0
    for (image, found), name in zip(labeled, labeled.names(), strict=True):
        stem = yolo_stem(name)
        text = folder / 'labels' / f'{stem}.txt'
        link = folder / 'images' / f'{stem}{PurePosixPath(name).suffix}'
        yield text
        with atomic_write('out', text) as path:
            path.write_text(_lines(image, found), encoding='utf-8')
        if is_local(image):
            yield link
            link_picture(image, link)
        else:
            elsewhere += 1
    if elsewhere:
        warn(
            f'{elsewhere} of {len(labeled.images)} pictures are no local files and have no link in '
            f'{folder / "images"}: put each there by the name of its text file in labels/'
        )
    names = dict(enumerate(labeled.classes))
    content = {'path': str(folder.absolute()), 'train': 'images', 'val': 'images', 'names': names}
    if labeled.root is not None:
        content[ROOT] = labeled.root
    with atomic_write('out', folder / 'data.yaml') as path:
        about = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
        path.write_text(about, encoding='utf-8')


def yolo_stem(name: str) -> str:
    """Return the name of a picture's text file, without its ending.

    Readers find it by the last folder of the picture's path that is called ``images``, for which
    they put ``labels``: no folder of the pool's may be called so. It has one underscore more, as
    those have that are called so but for underscores: two folders stay two.
    """
    *folders, last = PurePosixPath(name).with_suffix('').parts
    renamed = (f'{each}_' if each.rstrip('_') == 'images' else each for each in folders)
    return '/'.join([*renamed, last])


def _lines(image: Image, found: Detections) -> str:
    lines = []
    kept = found.kept()
    for (x1, y1, x2, y2), label in zip(kept.boxes.tolist(), kept.labels.tolist(), strict=True):
        center = ((x1 + x2) / 2 / image.width, (y1 + y2) / 2 / image.height)
        size = ((x2 - x1) / image.width, (y2 - y1) / image.height)
        lines.append(f'{label} ' + ' '.join(f'{value:.9f}' for value in (*center, *size)) + '\n')
    return ''.join(lines)
