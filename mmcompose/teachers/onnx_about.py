"""What is known of a detector in an ONNX file: by its metadata, and by a json beside it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from mmcompose.class_space import class_names
from mmcompose.structures.json_files import read_json
from mmcompose.teachers.decoders import DECODERS
from mmcompose.teachers.tensor_teacher import TensorTeacher
from mmcompose.utils import UserError, check_values, problem

_ARGUMENTS = ('classes', 'decode', 'preprocess')


def read_beside(key: str, model: Path) -> dict[str, Any]:
    """Return what the json of a model's name holds of the detector.

    Args:
        key: The argument that names the model, for messages.
        model: The ONNX file.

    Returns:
        ``classes``, ``decode`` and ``preprocess``, as far as it has them; nothing where there is no
        json, or it is of something else.

    Raises:
        UserError: If it cannot be read; with a line for each of them that is wrong.
    """
    path = model.with_suffix('.json')
    if not path.is_file():
        return {}
    about = read_json(key, str(path))
    # Others write jsons of a model's name, too.
    if not isinstance(about, dict):
        return {}
    found = {name: about[name] for name in _ARGUMENTS if about.get(name) is not None}
    problems = check_values(TensorTeacher, found, '')
    decode = found.get('decode')
    name = decode.get('type') if isinstance(decode, dict) else decode
    # A function is named by whoever writes the config, not by who made the model.
    if isinstance(name, str) and name not in DECODERS:
        expected = f'is not one of {", ".join(DECODERS)}; name a function in the config'
        problems.append(problem('decode', name, expected, DECODERS))
    if problems:
        raise UserError(*(problem(key, str(path), f'is wrong: {each}') for each in problems))
    return found


def names_in_model(text: str | None) -> tuple[str, ...] | None:
    """Return the class names that Ultralytics writes into a model, ``{0: 'person', ...}``.

    Args:
        text: What its metadata has as ``names``.

    Returns:
        By label number; None where the text is none of class names.
    """
    try:
        return class_names(ast.literal_eval(text or ''), 'classes')
    except (ValueError, SyntaxError, TypeError, UserError):
        return None
