"""Which files hold the weights of an ONNX graph beside the one that is named."""

from __future__ import annotations

import mmap
from pathlib import Path

# An entry of a tensor's external data, as Protocol Buffers write it: the key, and the tag of its
# value. Found in the bytes, since the package that reads them is needed by nothing else here.
_LOCATION = b'\n\x08location\x12'


def external_data(model: str | Path) -> dict[str, Path]:
    """Return the files that a graph names for its weights, by that name, of those that are there.

    Args:
        model: Path of an ``.onnx`` file.
    """
    names = set()
    with open(model, 'rb') as file:
        if not file.seek(0, 2):
            return {}
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            place = content.find(_LOCATION)
            while place >= 0:
                start, length = _varint(content, place + len(_LOCATION))
                names.add(bytes(content[start : start + length]).decode(errors='surrogateescape'))
                place = content.find(_LOCATION, start)
    paths = {name: Path(model).parent / name for name in sorted(names) if '\0' not in name}
    return {name: path for name, path in paths.items() if path.is_file()}


def _varint(content: mmap.mmap, place: int) -> tuple[int, int]:
    """Return where a number of Protocol Buffers ends, and the number."""
    value = shift = 0
    while place < len(content):
        byte = content[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            break
    return place, value
