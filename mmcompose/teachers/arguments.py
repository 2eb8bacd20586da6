"""What teachers of several kinds are given, read and checked in one way."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from mmcompose.class_space import GivenNames, class_names
from mmcompose.utils import UserError, fault, file_fingerprint, problem


def named_classes(classes: str | GivenNames) -> tuple[str, ...]:
    """Return class names by label number, or those of a data set that MMDet knows, e.g. 'coco'.

    Raises:
        UserError: If MMDet knows no data set of that name; see also
            :func:`mmcompose.class_space.class_names`.
    """
    if isinstance(classes, str):
        from mmdet.datasets import CocoDataset
        from mmdet.evaluation import get_classes
        from mmdet.evaluation.functional.class_names import dataset_aliases

        known = [alias for aliases in dataset_aliases.values() for alias in aliases]
        if classes not in known:
            raise UserError(problem('classes', classes, 'is no data set that MMDet knows', known))
        # get_classes says 'traffic_light', the data set and every checkpoint 'traffic light'.
        is_coco = classes in dataset_aliases['coco']
        classes = CocoDataset.METAINFO['classes'] if is_coco else get_classes(classes)
    return class_names(classes, 'classes')


def named_texts(texts: Sequence[str], classes: str | GivenNames | None) -> tuple[str, ...]:
    """Return what an open-vocabulary model shall look for: its classes.

    Raises:
        UserError: If classes are given too, or there are no texts, or one is given twice.
    """
    if classes is not None:
        raise UserError(fault('classes', 'are the texts where texts are given; leave them out'))
    return class_names(texts, 'texts')


def at_least(least: int, **given: float) -> None:
    """Check numbers that stand for how many or how long.

    Args:
        least: What each has to reach.
        **given: The numbers, by the name of their argument.

    Raises:
        UserError: If one is less.
    """
    expected = f'is not {least} or more'
    if problems := [problem(key, n, expected) for key, n in given.items() if n < least]:
        raise UserError(*problems)


def torch_device(device: str | None) -> str:
    """Return the device to compute on: the one named, else the current GPU, else the CPU.

    Raises:
        UserError: If torch knows no such device, or it is a GPU that is not there.
    """
    found = torch.cuda.is_available()
    if device is None:
        return 'cuda' if found else 'cpu'
    try:
        named = torch.device(device)
    except RuntimeError as error:
        raise UserError(
            problem('device', device, 'is no device of torch', ['cpu', 'cuda', 'cuda:0'])
        ) from error
    if named.type == 'cuda' and (named.index or 0) >= (torch.cuda.device_count() if found else 0):
        raise UserError(problem('device', device, 'is not there; torch sees no such GPU'))
    return device


def load_function(key: str, path: str) -> Callable[..., Any]:
    """Import a function named by a dotted path.

    Args:
        key: The argument that holds the path, for messages.
        path: ``package.module.function``.

    Raises:
        UserError: If the module cannot be imported or has no such function.
    """
    module_name, _, name = path.rpartition('.')
    try:
        module = import_module(module_name)
    except (ImportError, ValueError) as error:
        raise UserError(problem(key, path, f'cannot be imported ({error})')) from error
    function = getattr(module, name, None)
    if not callable(function):
        known = [
            f'{module_name}.{other}'
            for other, value in vars(module).items()
            if callable(value) and not other.startswith('_')
        ]
        raise UserError(problem(key, path, f'is no function of {module_name}', known))
    return function  # type: ignore[no-any-return]


def source_fingerprint(function: Callable[..., Any]) -> str | None:
    """Return 16 hex digits that address the file a function is written in, or None."""
    try:
        file = inspect.getsourcefile(function)
    except TypeError:
        return None
    return file_fingerprint(file) if file and Path(file).is_file() else None
