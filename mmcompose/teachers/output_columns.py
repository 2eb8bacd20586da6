"""Outputs of exported models are taken for what their shapes and values allow, never on trust."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mmcompose.teachers.boundary import SCORE_SLACK
from mmcompose.utils import UserError, fault

Outputs: TypeAlias = Mapping[str, NDArray[Any]]


def one_output(outputs: Outputs) -> NDArray[Any]:
    """Return the first output.

    Raises:
        UserError: If there is none.
    """
    for output in outputs.values():
        return output
    raise UserError(fault('decode', 'needs an output, the model has none'))


def output_of_shape(outputs: Outputs, name: str, columns: int) -> NDArray[Any]:
    """Return the output ``(B, N, columns)``: the one of that name, or the only one of that shape.

    Raises:
        UserError: If there is none.
    """
    fitting = {key: each for key, each in outputs.items() if _is_of_shape(each, columns)}
    if name in outputs and (name in fitting or not fitting):
        fitting = {name: outputs[name]}
    if len(fitting) != 1 or not all(_is_of_shape(each, columns) for each in fitting.values()):
        _refuse(outputs, f'{name} (batch, boxes, {columns})')
    return next(iter(fitting.values()))


def scores_and_labels(outputs: Outputs, like: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the outputs ``scores`` and ``labels``, both ``(B, N)``, by name or by what they hold.

    Args:
        outputs: By name.
        like: The boxes, ``(B, N, 4)``.

    Raises:
        UserError: If they cannot be distinguished, or are not of that shape.
    """
    rows = {name: each for name, each in outputs.items() if each.shape == like.shape[:2]}
    if {'scores', 'labels'} <= set(rows):
        return rows['scores'], rows['labels']
    if len(rows) == 2:
        whole = [name for name, each in rows.items() if np.issubdtype(each.dtype, np.integer)]
        if not whole:
            # Numbers of both are floats: scores are seldom all whole.
            whole = [name for name, each in rows.items() if not (each % 1).any()]
        if len(whole) == 1:
            (other,) = set(rows) - set(whole)
            return rows[other], rows[whole[0]]
    _refuse(outputs, f'scores and labels {like.shape[:2]}')


def labels_like(outputs: Outputs, like: NDArray[Any]) -> NDArray[Any]:
    """Return the output ``labels`` ``(B, N)``, by name or as the only one of that shape.

    Args:
        outputs: By name.
        like: The boxes, ``(B, N, ...)``.

    Raises:
        UserError: If there is none.
    """
    rows = {name: each for name, each in outputs.items() if each.shape == like.shape[:2]}
    if 'labels' not in rows and ('labels' in outputs or len(rows) != 1):
        _refuse(outputs, f'labels {like.shape[:2]}')
    return rows.get('labels', next(iter(rows.values())))


def check_scores(scores: NDArray[Any], what: str) -> None:
    """Check that numbers are scores.

    Raises:
        UserError: If one is outside [0, 1].
    """
    if scores.size and not -SCORE_SLACK <= scores.min() <= scores.max() <= 1 + SCORE_SLACK:
        raise UserError(
            fault(
                'decode',
                f'{what} are in [{scores.min():g}, {scores.max():g}], not in [0, 1]: they are '
                'no scores; another decoder is needed, or the export left out a sigmoid',
            )
        )


def check_labels(labels: NDArray[Any], what: str, hint: str = '') -> None:
    """Check that numbers are class indices.

    Raises:
        UserError: If one is not whole.
    """
    if (labels % 1).any():
        value = labels[(labels % 1) != 0].flat[0]
        raise UserError(
            fault(
                'decode',
                f'{what} holds {value:g}, which is no whole number, where labels are '
                f'expected{hint}',
            )
        )


def refuse_shape(raw: NDArray[Any], expected: str, num_classes: int) -> NoReturn:
    """Raise that an output is not of a decoder's shape."""
    raise UserError(
        fault(
            'decode',
            f'the model gives {raw.shape}, but for {num_classes} classes this decoder takes '
            f'{expected}',
        )
    )


def _is_of_shape(output: NDArray[Any], columns: int) -> bool:
    return output.ndim == 3 and output.shape[2] == columns


def _refuse(outputs: Outputs, expected: str) -> NoReturn:
    given = ', '.join(f'{name} {output.shape}' for name, output in outputs.items())
    raise UserError(fault('decode', f'the model gives {given}, but this decoder takes {expected}'))
