"""Text and JSON that others wrote, in whatever encoding; never anything that runs."""

from __future__ import annotations

import codecs
import json
from typing import Any

from mmcompose.structures.image import open_bytes
from mmcompose.utils import UserError, no_file, problem

# By the mark that a file begins with; UTF-32 before UTF-16, whose mark is its beginning.
_MARKS = (
    (codecs.BOM_UTF8, 'utf-8-sig'),
    (codecs.BOM_UTF32_LE, 'utf-32'),
    (codecs.BOM_UTF32_BE, 'utf-32'),
    (codecs.BOM_UTF16_LE, 'utf-16'),
    (codecs.BOM_UTF16_BE, 'utf-16'),
)


def decode_text(data: bytes) -> str:
    """Return the text of a file: UTF-8, or what its byte order mark names.

    Raises:
        UnicodeDecodeError: If it is neither.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        # Each ASCII letter of UTF-16 has a zero byte on one side.
        encoding = {(True, False): 'utf-16-be', (False, True): 'utf-16-le'}.get(
            (data[:1] == b'\0', data[1:2] == b'\0'), 'utf-8'
        )
    return data.decode(encoding)


def read_text(key: str, path: str) -> str:
    """Read a text file by a local path or fsspec URL.

    Args:
        key: The config key or argument that names the file, for messages.
        path: The file.

    Raises:
        UserError: If it cannot be read, or is no text.
    """
    try:
        with open_bytes(path) as file:
            return decode_text(file.read())
    except FileNotFoundError as error:
        raise UserError(no_file(key, path)) from error
    except OSError as error:
        raise UserError(problem(key, path, f'cannot be read ({error})')) from error
    except UnicodeDecodeError as error:
        raise UserError(problem(key, path, f'is no text ({error})')) from error


def read_json(key: str, path: str) -> Any:
    """Read a JSON file by a local path or fsspec URL; see :func:`read_text`.

    Whatever its suffix, it is read as JSON: a pickle would run what it holds.

    Raises:
        UserError: If it cannot be read, or is no JSON.
    """
    try:
        return json.loads(read_text(key, path))
    except (ValueError, RecursionError) as error:
        raise UserError(problem(key, path, f'cannot be read as json ({error})')) from error
