"""The protocol of a teacher: class names, and detections of images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from mmcompose.structures import Detections, Image
from mmcompose.teachers.boundary import checked_at_the_boundary


class Teacher(ABC):
    """Anything that turns images into detections.

    A kind of teacher is built from ``dict(type=..., **arguments)``. Its constructor reads class
    names and checks what it can, but loads no weights: that waits for the first ``predict``.
    A mistake raises :class:`mmcompose.utils.UserError` whose line begins with the argument's
    name; where the teacher stands in the config is put before it.

    Whatever a subclass's ``predict`` returns is checked, and cut at the picture's border; see
    :mod:`mmcompose.teachers.boundary`.

    Attributes:
        classes: Class names, in the order of the labels that ``predict`` returns.
        regresses_boxes: Whether boxes are what a head regressed, whose width may come out
            negative: such are dropped, as MMDet does. Defaults to False: one is an error, for
            the numbers are then no corners.
        unaddressed: Names of arguments that are no part of what addresses stored predictions:
            they decide nothing about a prediction but its last digits, or :attr:`identity` covers
            them. Defaults to none.
        allow: Names of checks whose finds are warnings; the composition sets them.
    """

    classes: tuple[str, ...]
    regresses_boxes: ClassVar[bool] = False
    unaddressed: ClassVar[frozenset[str]] = frozenset()
    allow: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ('predict', 'predict_prepared'):
            own = vars(cls).get(name)
            if own is not None and not getattr(own, 'is_checked', False):
                setattr(cls, name, checked_at_the_boundary(own))

    @abstractmethod
    def predict(self, images: Sequence[Image]) -> list[Detections]:
        """Detect objects.

        Args:
            images: Of any size; those of one size may share a batch.

        Returns:
            For each image its detections: boxes in pixels of the original image, labels as
            indices into ``classes``, masks over the original image where it gives any.
        """

    def check_pool(self, images: Sequence[Image]) -> None:
        """Look at the whole pool before any of it is predicted; most teachers need not.

        Each process that predicts calls it; what is logged is shown of the first alone.

        Args:
            images: Of the pool, all of them.

        Raises:
            UserError: If the teacher cannot predict on them.
        """

    @property
    def may_give_masks(self) -> bool:
        """False where boxes are all that it can give; read before a mask student is trained."""
        return False

    @property
    def looks_at_pixels(self) -> bool:
        """False where a picture's name decides what is predicted, as of results in a file.

        A changed picture, such as the mirror image, would get the same boxes.
        """
        return True

    @property
    def identity(self) -> Any:
        """What, beside the config dict and the files it names, decides what is predicted.

        Plain values; they become part of the address of the stored predictions. So a config dict
        counts: without the arguments in :attr:`unaddressed` and those that have their default,
        with the content in place of a path and of a string that names a file or folder, unless
        the constructor annotates it as a ``mmcompose.utils.Name`` or a ``Literal``. A subclass of
        another teacher joins its own to ``super().identity``.
        """
        return None

    @property
    def architecture(self) -> str | None:
        """What the model is, as its library names it, or None where that has no meaning."""
        return None

    @property
    def num_parameters(self) -> int | None:
        """How many weights the model has, or None where that has no meaning."""
        return None


def total_parameters(teachers: Iterable[Teacher]) -> int | None:
    """Return how many weights teachers have together; None where that of one is unknown."""
    counts = [teacher.num_parameters for teacher in teachers]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
