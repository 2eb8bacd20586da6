"""FunctionTeacher: a function of your own, named by its dotted path."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmcompose.class_space import GivenNames
from mmcompose.registry import TEACHERS
from mmcompose.structures import Detections, Image, as_masks
from mmcompose.teachers.base import Teacher
from mmcompose.teachers.dotted_path import load_function, source_fingerprint
from mmcompose.teachers.named_classes import named_classes
from mmcompose.utils import Name, UserError, problem


@TEACHERS.register_module()
class FunctionTeacher(Teacher):
    """A function that takes one picture and returns boxes, scores, labels and perhaps masks.

    The function gets ``(height, width, 3)`` uint8 BGR pixels, and returns ``(N, 4)`` xyxy boxes
    in pixels, ``(N,)`` scores in [0, 1], and ``(N,)`` indices into ``classes``. As a fourth it may
    return instance masks: ``(N, height, width)`` bool, or for each box COCO's segmentation or None.

    Args:
        function: Its dotted path, e.g. ``my_package.my_detector``.
        classes: Class names, or a data set's name that MMDet knows.
        arguments: Further arguments, given by name. Defaults to none.
    """

    def __init__(
        self,
        function: Name,
        classes: Name | GivenNames,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self._name = function
        self._function = load_function('function', function)
        self._arguments = dict(arguments or {})
        _check_arguments(self._function, self._arguments)
        self.classes = named_classes(classes)

    @property
    def identity(self) -> Any:
        """See :attr:`Teacher.identity`: the content of the file the function is written in."""
        return {'source': source_fingerprint(self._function)}

    @property
    def may_give_masks(self) -> bool:
        """See :attr:`Teacher.may_give_masks`: unknown before it is called."""
        return True

    def predict(self, images: Sequence[Image]) -> list[Detections]:
        """See :meth:`Teacher.predict`."""
        return [self._call(image) for image in images]

    def _call(self, image: Image) -> Detections:
        # A copy: other teachers look at the same pixels.
        returned = self._function(image.pixels.copy(), **self._arguments)
        try:
            boxes, scores, labels, *rest = returned
            (masks,) = rest or (None,)
            encoded = None if masks is None else as_masks(masks, image.width, image.height)
            return Detections.from_arrays(boxes, scores, labels, encoded)
        # The last is torch's, of a tensor that is part of a graph.
        except (TypeError, ValueError, AssertionError, RuntimeError) as error:
            expected = f'does not return boxes (N, 4), scores (N,), labels (N,), masks: {error}'
            raise UserError(problem('function', self._name, expected)) from error


def _check_arguments(function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:  # one written in C does not show what it takes
        return
    try:
        signature.bind(None, **arguments)
    except TypeError as error:
        expected = f'do not fit function, which takes {signature} ({error})'
        raise UserError(problem('arguments', dict(arguments), expected)) from error
