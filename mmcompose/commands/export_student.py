"""A trained student as one ONNX file that needs neither mmcompose nor MMDetection."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from mmcompose.engine.num_classes import set_num_classes
from mmcompose.engine.onnx_export import DecodedBoxes, check_head, read_input, with_suppression
from mmcompose.structures.json_files import read_json
from mmcompose.teachers import read_checkpoint, read_config
from mmcompose.teachers.checkpoint import checkpoint_classes
from mmcompose.teachers.mmdet.config import scope_of
from mmcompose.teachers.mmdet.model import build_model, check_class_count, load_weights
from mmcompose.utils import (
    UserError,
    atomic_write,
    check_writable,
    file_fingerprint,
    first_line,
    log,
    no_file,
    optional_package,
    problem,
    warn,
    write_json,
)
from mmcompose.utils.plain_python import plain_assignments

OPSET = 17
# What the json beside an export has.
_ABOUT = {'classes', 'decode', 'preprocess', 'checkpoint'}


def export_student(
    checkpoint: str,
    out: str | None = None,
    config: str | Config | None = None,
    size: tuple[int, int] | None = None,
) -> Path:
    """Write a detector as ONNX, decoding and suppression inside, and beside it what it takes.

    ``out`` takes one picture of a fixed size and gives ``dets (1, N, 5)`` and ``labels (1, N)``, as
    MMDeploy exports them. The json of the same name has classes, decoder and preprocessing, which
    :class:`mmcompose.teachers.ONNXTeacher` reads: the student can teach by its file alone.

    Args:
        checkpoint: Of any one-stage detector that MMDetection trained.
        out: The ONNX file. Defaults to the checkpoint's name with ``.onnx``.
        config: Its config or the path of it; of one with a composition no teacher is read, for
            the checkpoint has the classes. Defaults to that in the checkpoint.
        size: (width, height) of the input. Defaults to that of the config's test pipeline.

    Returns:
        The ONNX file's path.

    Raises:
        UserError: If the detector decodes or suppresses in a way that is not known here, its test
            pipeline does more than resizing and padding, the checkpoint has no class names, or
            the json is there already and of no export.
    """
    if not Path(checkpoint).is_file():
        raise UserError(no_file('checkpoint', checkpoint))
    path = Path(out) if out is not None else Path(checkpoint).with_suffix('.onnx')
    if path.suffix != '.onnx':
        raise UserError(problem('out', str(path), 'is no name of an ONNX file'))
    check_writable('out', path)
    _check_own(path.with_suffix('.json'))
    optional_package('onnx', 'onnx', '--to')
    saved = read_checkpoint(checkpoint)
    read = config_of(saved, checkpoint) if config is None else read_config(config)
    classes = checkpoint_classes(saved)
    if classes is None:
        raise UserError(problem('checkpoint', checkpoint, 'has no class names'))
    if read.get('composition') is not None:
        # The counts in it are those of its base, and teachers that tell others need not be here.
        with scope_of(read):
            set_num_classes(read.model, len(classes), MODELS)
    model = build_model(read)
    check_head(model)
    load_weights(model, saved['state_dict'], checkpoint)
    check_class_count(model, classes)
    taken = read_input(read, size)
    _write(DecodedBoxes(model.eval(), taken.blank_around), taken.size, path)
    about = {
        'classes': list(classes),
        'decode': 'mmdeploy',
        'preprocess': taken.preprocess,
        'checkpoint': file_fingerprint(checkpoint),
    }
    write_json('out', path.with_suffix('.json'), about)
    log(f'exported to {path}: {len(classes)} classes, {taken.size[0]}x{taken.size[1]} pixels')
    return path


def _check_own(beside: Path) -> None:
    """Check that the json of an export overwrites none but an export's: nobody named it."""
    if not beside.exists():
        return
    about: Any = None
    # What cannot be read is of no export.
    with contextlib.suppress(UserError):
        about = read_json('out', str(beside))
    if not isinstance(about, dict) or set(about) != _ABOUT:
        expected = 'is there already, and no export made it; move it away, or name another place'
        raise UserError(problem('out', str(beside), expected))


def exported_beside(checkpoint: str | Path, classes: Sequence[str] | None) -> Path | None:
    """Return the ONNX file beside a checkpoint, if :func:`export_student` made it of that.

    Args:
        checkpoint: The student's.
        classes: Its class names; None where it has none.

    Returns:
        The file's path; None where there is none, or where its json names another checkpoint or
        other classes: that is warned of.
    """
    path = Path(checkpoint).with_suffix('.onnx')
    if not path.is_file():
        return None
    about: Any = None
    # What cannot be read names no checkpoint.
    with contextlib.suppress(UserError):
        about = read_json('checkpoint', str(path.with_suffix('.json')))
    of_it = {'checkpoint': file_fingerprint(checkpoint), 'classes': list(classes or ())}
    if isinstance(about, dict) and {name: about.get(name) for name in of_it} == of_it:
        return path
    warn(
        f'{path} is left out: {path.with_suffix(".json").name} does not name it an export of '
        f'{checkpoint}; make it anew: mmcompose export student {checkpoint}'
    )
    return None


def config_of(checkpoint: dict[str, Any], path: str) -> Config:
    """Return the config that MMEngine saved in a checkpoint, without running any of it.

    Raises:
        UserError: If there is none, or it is more than plain values.
    """
    text = (checkpoint.get('meta') or {}).get('cfg')
    if not isinstance(text, str):
        raise UserError(problem('checkpoint', path, 'has no config inside; name it (--config)'))
    try:
        return Config(plain_assignments(text))
    except (ValueError, TypeError) as error:
        expected = f'holds a config that {error}; name one that you know (--config)'
        raise UserError(problem('checkpoint', path, expected)) from error


def _write(network: DecodedBoxes, size: tuple[int, int], path: Path) -> None:
    test_cfg = network.head.test_cfg
    iou_threshold = float((test_cfg.get('nms') or {}).get('iou_threshold', 0.5))
    width, height = size
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
        # The exporter by tracing needs no further package; its successor is not in every torch
        # that mmcompose allows. Shapes are constants here, as they are meant to be.
        warnings.simplefilter('ignore')
        raw = Path(folder) / 'raw.onnx'
        try:
            torch.onnx.export(
                network,
                (torch.zeros(1, 3, height, width),),
                str(raw),
                input_names=['images'],
                output_names=['boxes', 'scores'],
                opset_version=OPSET,
                dynamo=False,
            )
        # The exporter's errors, and the model's own: necks that double a level need sizes that fit.
        except RuntimeError as error:
            name = type(network.model).__name__
            expected = f'cannot be exported at {width}x{height} pixels: {first_line(error)}'
            raise UserError(problem('model', name, expected)) from error
        whole = with_suppression(raw, iou_threshold, network.most)
    with atomic_write('out', path) as temporary:
        temporary.write_bytes(whole.SerializeToString())
