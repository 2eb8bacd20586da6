"""A composition in FiftyOne: teachers, labels and student as fields of one dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.config import Config

from mmcompose.commands.config_files import read_compose_config
from mmcompose.commands.load import load
from mmcompose.commands.trained_model import open_trained
from mmcompose.composition import Composition
from mmcompose.engine.resolve import resolve
from mmcompose.labeling import FUSED, STUDENT
from mmcompose.structures import Detections, Image
from mmcompose.teachers import Teacher
from mmcompose.utils import UserError, first_line, optional_package, problem, progress


def to_fiftyone(config: str | Config, student: str | None = None, name: str | None = None) -> Any:
    """Return the pool of a config as a FiftyOne dataset (extra ``fiftyone``).

    Each teacher, the labels (``fused``) and the student are a field of detections, in the
    student's classes, with confidence and whether it is ``ignored``; a label of a fusion has the
    names of those who found it (``votes``).

    Args:
        config: A config with a composition, or its path. Labels that are missing are made.
        student: Path of the student's checkpoint. Defaults to none.
        name: Of the dataset, one that FiftyOne has not. Defaults to one that it makes up.

    Returns:
        A ``fiftyone.Dataset``.

    Raises:
        UserError: For a mistake in the config, or a checkpoint that does not fit it; if FiftyOne
            is not installed or refuses ``name``.
    """
    fiftyone = optional_package('fiftyone', 'fiftyone', 'to_fiftyone')
    config = read_compose_config(config)
    composition = load(config)
    model: Teacher | None = None
    if student is not None:
        model = open_trained(STUDENT, student, resolve(config, composition))
    # Before any work, so that a name that is taken is reported at once.
    try:
        dataset = fiftyone.Dataset(name)
    except ValueError as error:
        expected = f'is refused by FiftyOne: {first_line(error)}'
        raise UserError(problem('name', name, expected)) from error
    try:
        _fill(fiftyone, dataset, composition, model)
    except BaseException:
        # Its name would be taken.
        dataset.delete()
        raise
    return dataset


def _fill(fiftyone: Any, dataset: Any, composition: Composition, model: Teacher | None) -> None:
    images, labels = composition.pool, composition.labels()
    # A picture that could not be read is not one without objects.
    rows = labels.readable()
    tables = composition.predictions(images)
    classes, teachers = composition.classes, composition.class_space.teachers

    def samples() -> Iterator[Any]:
        for row in progress(rows, 'pictures for FiftyOne', len(rows)):
            image = images[row]
            found, _ = composition.teacher_detections(tables, images, row)
            # A teacher may predict coarser classes than any of the student's.
            fields = {n: each[each.labels < len(classes)] for n, each in found.items()}
            fields[FUSED] = labels[row]
            if model is not None:
                fields[STUDENT] = model.predict([image])[0]
                image.forget_pixels()
            sample = fiftyone.Sample(filepath=image.path)
            for field, each in fields.items():
                sample[field] = _detections(fiftyone, each, image, classes, teachers)
            yield sample

    dataset.default_classes = list(classes)
    dataset.add_samples(samples(), num_samples=len(rows), progress=False)


def _detections(
    fiftyone: Any,
    found: Detections,
    image: Image,
    classes: Sequence[str],
    teachers: Sequence[str],
) -> Any:
    """Return boxes as FiftyOne has them: left, top, width, height as shares of the picture."""
    sides = found.boxes / np.array([image.width, image.height] * 2, np.float32)
    columns = (sides.tolist(), found.scores.tolist(), found.labels.tolist())
    made = []
    for row, ((x1, y1, x2, y2), score, label) in enumerate(zip(*columns, strict=True)):
        more: dict[str, Any] = {'ignored': bool(found.is_ignored[row])}
        if found.votes is not None:
            pairs = zip(teachers, found.votes[row], strict=True)
            more['votes'] = [name for name, voted in pairs if voted]
        box = [x1, y1, x2 - x1, y2 - y1]
        made.append(
            fiftyone.Detection(label=classes[label], bounding_box=box, confidence=score, **more)
        )
    return fiftyone.Detections(detections=made)
