"""StepImages: what the first steps of a label pipeline make of a pool, and keep of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mmcompose.labeling import FUSED, ByTeacher, ImageContext, LabelInput, LabelPipeline
from mmcompose.store import StepBoxes, is_storable
from mmcompose.structures import Detections


@dataclass(frozen=True)
class StepImages:
    """Images of a pool as they are before a step.

    A step that learns sees what the steps before it make of every image. From a fusion on, that is
    kept in the store until the labels are there, so that the next step which learns, and in the
    end the labels, go on from it. Where it is not kept, or no longer, it is made anew: the same.
    Parts in which a teacher was not asked about an image are not kept, for boxes do not hold that.

    Args:
        pipeline: The label pipeline.
        kept: Where what is made before a step is kept, by the step's number, in their order.
        predicted: Returns what teachers predict in an image, by its row, and its context; True
            adds what its places look like.
        context: Returns its context alone, likewise.
        unreadable: Why images cannot be read, by row.
    """

    pipeline: LabelPipeline
    kept: Mapping[int, StepBoxes]
    predicted: Callable[[int, bool], LabelInput]
    context: Callable[[int, bool], ImageContext]
    unreadable: Mapping[int, str]

    def nearest(
        self, part: int, rows: range, number: int
    ) -> tuple[int, Iterator[LabelInput | None]]:
        """Return images as near before a step as they are kept.

        Args:
            part: Of the pool.
            rows: Of its images.
            number: Of the step; that of all steps for the labels.

        Returns:
            The step that they are kept before, 0 for what teachers predict; and the part's images,
            None where one cannot be read.
        """
        for begin in reversed([each for each in self.kept if each <= number]):
            boxes = self.kept[begin].read(part)
            if boxes is not None:
                return begin, self._with_context(rows, boxes, self._looks(begin, number))
        looks = self._looks(0, number)
        return 0, (None if row in self.unreadable else self.predicted(row, looks) for row in rows)

    def before(self, part: int, rows: range, number: int) -> list[LabelInput]:
        """Return the readable images of a part as they are before a step, and keep them so.

        Args:
            part: Of the pool.
            rows: Of its images.
            number: Of the step; those before it have learned.
        """
        begin, images = self.nearest(part, rows, number)
        readable = [each for each in images if each is not None]
        made = list(self.pipeline.before(number, lambda: readable, begin=begin))
        if begin < number and all(_can_be_kept(*each) for each in made):
            left = iter(made)
            boxes = [
                Detections() if row in self.unreadable else next(left)[0][FUSED] for row in rows
            ]
            self.kept[number].write(part, boxes, [self.unreadable.get(row) for row in rows])
        return made

    def _with_context(
        self, rows: range, boxes: list[Detections], looks: bool
    ) -> Iterator[LabelInput | None]:
        for row, found in zip(rows, boxes, strict=True):
            readable = row not in self.unreadable
            yield ({FUSED: found}, self.context(row, looks)) if readable else None

    def _looks(self, begin: int, number: int) -> bool:
        """Return whether a step, from one to another, compares what places look like."""
        return any(step.features for step in self.pipeline.steps[begin : number + 1])


def _can_be_kept(found: ByTeacher, image: ImageContext) -> bool:
    """Return whether boxes come back as they are: fused, and of the dtypes that are stored.

    And whether all that the steps know of the image does: who was not asked about it is known of
    what teachers predict alone.
    """
    return found.keys() == {FUSED} and not image.not_asked and is_storable(found[FUSED])
