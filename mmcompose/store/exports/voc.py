"""Pascal VOC's folder: an XML file a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from mmcompose.store.exports.labeled import Labeled
from mmcompose.structures import Detections, Image
from mmcompose.utils import atomic_write


def write_voc(labeled: Labeled, folder: Path) -> Iterator[Path]:
    """Write ``Annotations/``, an XML file a picture, and ``classes.txt``.

    Corners are pixels counted from 1, the last one included, as VOC has them: supervision takes 1
    from the first corner, MMDetection does not. Ignore boxes are ``difficult``.

    Yields:
        The XML files.
    """
    for (image, found), stem in zip(labeled, labeled.stems(), strict=True):
        tree = ElementTree.ElementTree(_annotation(image, found, labeled.classes))
        ElementTree.indent(tree)
        file = folder / 'Annotations' / f'{stem}.xml'
        yield file
        with atomic_write('out', file) as path:
            tree.write(path, encoding='utf-8')
    with atomic_write('out', folder / 'classes.txt') as path:
        path.write_text(''.join(f'{name}\n' for name in labeled.classes), encoding='utf-8')


def _annotation(image: Image, found: Detections, classes: tuple[str, ...]) -> ElementTree.Element:
    root = ElementTree.Element('annotation')
    _add(root, 'filename', image.key)
    size = ElementTree.SubElement(root, 'size')
    for name, value in (('width', image.width), ('height', image.height), ('depth', 3)):
        _add(size, name, str(value))
    columns = (found.boxes.tolist(), found.labels.tolist(), found.is_ignored.tolist())
    for (x1, y1, x2, y2), label, ignored in zip(*columns, strict=True):
        each = ElementTree.SubElement(root, 'object')
        _add(each, 'name', classes[label])
        _add(each, 'difficult', str(int(ignored)))
        box = ElementTree.SubElement(each, 'bndbox')
        left, top = x1 + 1, y1 + 1
        # Of a box below a pixel wide, the first and the last are one.
        corners = {'xmin': left, 'ymin': top, 'xmax': max(x2, left), 'ymax': max(y2, top)}
        for name, value in corners.items():
            _add(box, name, f'{value:.3f}')
    return root


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = text
