"""Labels in the formats of other tools, a file a format."""

from mmcompose.store.exports.coco import to_coco
from mmcompose.store.exports.corrections import read_corrections
from mmcompose.store.exports.formats import FORMATS, destination, export

__all__ = ['FORMATS', 'destination', 'export', 'read_corrections', 'to_coco']
