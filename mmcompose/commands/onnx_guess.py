"""What an ONNX file holds of the detector in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmcompose.teachers.onnx_about import names_in_model, read_beside
from mmcompose.utils import UserError, first_line, optional_package, problem

_YOLOX_STRIDES = (8, 16, 32)
_ULTRALYTICS = {'keep_ratio': True, 'center': True, 'bgr_to_rgb': True, 'std': [255.0]}


def guess_onnx(path: str) -> dict[str, Any]:
    """Return the arguments of :class:`mmcompose.teachers.ONNXTeacher` that a file holds.

    Args:
        path: The ONNX file.

    Returns:
        ``classes``, ``decode`` and ``preprocess``, as far as names of outputs, their shapes and
        Ultralytics' metadata hold them; without those that a json beside the file has.

    Raises:
        UserError: If it cannot be loaded, or takes no pictures; if what the json has is wrong.
    """
    beside = read_beside('--teacher', Path(path))
    if {'classes', 'decode'} <= set(beside):
        return {}
    runtime = optional_package('onnxruntime', 'onnx', '--teacher')
    try:
        session = runtime.InferenceSession(path, providers=['CPUExecutionProvider'])
    # ONNX Runtime's errors share no base class.
    except Exception as error:
        reason = first_line(error)
        raise UserError(problem('--teacher', path, f'cannot be loaded ({reason})')) from error
    taken = session.get_inputs()[0]
    if len(taken.shape) != 4:
        expected = f'takes {taken.name} {taken.shape}; expected one batch of pictures'
        raise UserError(problem('--teacher', path, expected))
    shapes = {output.name: list(output.shape) for output in session.get_outputs()}
    names = names_in_model(session.get_modelmeta().custom_metadata_map.get('names'))
    guessed: dict[str, Any] = {} if names is None else {'classes': list(names)}
    decode = _decoder(shapes, taken.shape, is_ultralytics=names is not None)
    if decode is not None:
        guessed['decode'] = decode
    # Whoever names a decoder knows what the model takes.
    if decode in ('ultralytics', 'yolox') and 'decode' not in beside:
        guessed['preprocess'] = _ULTRALYTICS if decode == 'ultralytics' else {'keep_ratio': True}
    return {name: value for name, value in guessed.items() if name not in beside}


def _decoder(
    shapes: Mapping[str, Sequence[Any]], taken: Sequence[Any], is_ultralytics: bool
) -> str | None:
    for decode, names in (
        ('mmdeploy', ('dets', 'labels')),
        ('detr', ('labels', 'boxes', 'scores')),
    ):
        if set(names) <= set(shapes):
            return decode
    if is_ultralytics:
        return 'ultralytics'
    (first, *others) = shapes.values()
    if not others and len(first) == 3 and all(isinstance(side, int) for side in taken[2:]):
        cells = sum(taken[2] // stride * (taken[3] // stride) for stride in _YOLOX_STRIDES)
        if first[1] == cells:
            return 'yolox'
    return None
