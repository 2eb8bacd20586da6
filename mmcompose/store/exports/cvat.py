"""CVAT's own XML, "CVAT for images 1.1"."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from mmcompose.store.exports.labeled import Labeled
from mmcompose.structures import Detections
from mmcompose.utils import atomic_write

# By the kind of input, its values and its default.
_ATTRIBUTES = {
    'score': ('number', '0\n1\n0.001', '1'),
    'ignore': ('checkbox', 'false', 'false'),
    'votes': ('text', '', ''),
}


def write_cvat(labeled: Labeled, path: Path) -> None:
    """Write all pictures into one file; score, ignore flag and who voted are attributes of a box.

    CVAT imports it into a task that has the same pictures, by their names.
    """
    root = ElementTree.Element('annotations')
    ElementTree.SubElement(root, 'version').text = '1.1'
    task = ElementTree.SubElement(ElementTree.SubElement(root, 'meta'), 'task')
    labels = ElementTree.SubElement(task, 'labels')
    for name in labeled.classes:
        _describe(labels, name)
    for number, (image, found) in enumerate(labeled):
        attributes = {'id': str(number), 'name': image.key}
        attributes |= {'width': str(image.width), 'height': str(image.height)}
        picture = ElementTree.SubElement(root, 'image', attributes)
        _add_boxes(picture, found, labeled.classes, labeled.voters(found))
    tree = ElementTree.ElementTree(root)
    ElementTree.indent(tree)
    with atomic_write('out', path) as temporary:
        tree.write(temporary, encoding='utf-8', xml_declaration=True)


def _describe(labels: ElementTree.Element, name: str) -> None:
    label = ElementTree.SubElement(labels, 'label')
    ElementTree.SubElement(label, 'name').text = name
    attributes = ElementTree.SubElement(label, 'attributes')
    for attribute, (kind, values, default) in _ATTRIBUTES.items():
        described = ElementTree.SubElement(attributes, 'attribute')
        texts = {'name': attribute, 'mutable': 'False', 'input_type': kind}
        texts |= {'default_value': default, 'values': values}
        for tag, text in texts.items():
            ElementTree.SubElement(described, tag).text = text


def _add_boxes(
    parent: ElementTree.Element,
    found: Detections,
    classes: tuple[str, ...],
    voters: list[list[str]] | list[None],
) -> None:
    columns = (found.boxes.tolist(), found.labels.tolist(), found.scores, found.is_ignored, voters)
    for corners, label, score, ignored, names_of_voters in zip(*columns, strict=True):
        names = ('xtl', 'ytl', 'xbr', 'ybr')
        attributes = {n: f'{v:.2f}' for n, v in zip(names, corners, strict=True)}
        attributes |= {'label': classes[label], 'source': 'auto', 'occluded': '0', 'z_order': '0'}
        box = ElementTree.SubElement(parent, 'box', attributes)
        texts = {'score': f'{score:.4f}', 'ignore': str(bool(ignored)).lower()}
        texts['votes'] = ', '.join(names_of_voters or ())
        for name, text in texts.items():
            ElementTree.SubElement(box, 'attribute', name=name).text = text
