"""What teachers share whose model takes one array of pictures and gives arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from mmcompose.class_space import GivenNames
from mmcompose.structures import Detections, Image
from mmcompose.teachers.base import Teacher
from mmcompose.teachers.decoders import make_decoder
from mmcompose.teachers.dotted_path import source_fingerprint
from mmcompose.teachers.evidence import Evidence
from mmcompose.teachers.named_classes import named_classes
from mmcompose.teachers.output_columns import Outputs
from mmcompose.teachers.preprocess import Geometry, Preprocess
from mmcompose.teachers.reduced_decode import reduction_for
from mmcompose.utils import Name, UserError, fault


class TensorTeacher(Teacher):
    """A bare model: pictures are prepared before it, its outputs decoded after it.

    Args:
        classes: Class names in the model's order, or a data set's name that MMDet knows.
        decode: See :func:`mmcompose.teachers.decoders.make_decoder`.
        preprocess: Arguments of :class:`mmcompose.teachers.preprocess.Preprocess`.
        batch_size: How many images share a batch.
        reduced_decode: Whether JPEGs are decoded at a half, a fourth or an eighth of their size
            where that is no less than the model takes. Defaults to False.
    """

    regresses_boxes = True

    def __init__(
        self,
        classes: Name | GivenNames,
        decode: Name | Mapping[str, Any],
        preprocess: Mapping[str, Any] | None,
        batch_size: int,
        reduced_decode: bool = False,
    ) -> None:
        self.classes = named_classes(classes)
        self._decode = make_decoder(decode)
        self._given_preprocess = Preprocess.of(preprocess)
        self._batch_size = batch_size
        self._reduced_decode = reduced_decode
        self._of_input = Evidence()

    @property
    def identity(self) -> Any:
        """See :attr:`Teacher.identity`: the decoder's code, which may be the user's own."""
        return {'decoder': source_fingerprint(self._decode.func)}  # type: ignore[attr-defined]

    @property
    def _preprocess(self) -> Preprocess:
        """How pictures are prepared, once the model has been read."""
        return self._given_preprocess

    def prepare(self, image: Image) -> tuple[NDArray[Any], Geometry]:
        """Return what the model takes of a picture, and where the picture lies in it."""
        pixels = image.reduced(self.reduction(image))
        array, geometry = self._preprocess(pixels)
        height, width = pixels.shape[:2]
        return array, geometry.of_whole((width, height), (image.width, image.height))

    def reduction(self, image: Image) -> int:
        """Return by how much a picture is decoded smaller than it is."""
        if not self._reduced_decode:
            return 1
        return reduction_for(image, [self._preprocess.resized(image.width, image.height)])

    def _to_detections(self, outputs: Outputs, geometries: Sequence[Geometry]) -> list[Detections]:
        """Return what the outputs of a batch mean, in pixels of the original images."""
        found = self._decoded(outputs, len(geometries))
        return [each.to_original(one) for one, each in zip(found, geometries, strict=True)]

    def _decoded(self, outputs: Outputs, count: int) -> list[Detections]:
        size = self._preprocess.scale
        assert size is not None
        decoded = self._decode(outputs, size, len(self.classes))
        if not isinstance(decoded, list) or not all(isinstance(d, Detections) for d in decoded):
            raise UserError(
                fault('decode', f'gives {type(decoded).__name__}, not a list of Detections')
            )
        if len(decoded) != count:
            raise UserError(fault('decode', f'gives {len(decoded)} pictures of a batch of {count}'))
        self._of_input.add_of_input(decoded)
        self._of_input.check()
        return decoded
