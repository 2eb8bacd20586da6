"""The composition table: teachers, fused labels, student and oracle on one labeled set."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from mmengine.dataset import BaseDataset

from mmcompose.composition import PSEUDO_LABELS, Composition, preserve_process_state
from mmcompose.datasets import images_of
from mmcompose.evaluation.diagnosis import Diagnosis, diagnose
from mmcompose.evaluation.scoring import Scores, score, warn_of_missing_masks
from mmcompose.labeling import FUSED, LabelPipeline
from mmcompose.structures import Detections, Image
from mmcompose.teachers import Teacher, total_parameters
from mmcompose.utils import progress, without_nan

_TIMED_IMAGES = 16


@dataclass(frozen=True)
class Row:
    """A row of the composition table.

    Args:
        name: Of the teacher, or 'fused', 'student', 'oracle'.
        scores: On the labeled set.
        num_parameters: Of all models that are run for it; None where unknown.
        milliseconds: An image, one at a time, picture already decoded.
        pictures: On how many pictures it predicted, and of how many, where those are fewer: scores
            and diagnosis are of these alone. None where it predicted on all.
    """

    name: str
    scores: Scores
    num_parameters: int | None
    milliseconds: float
    pictures: tuple[int, int] | None = None

    @property
    def label(self) -> str:
        """The name, with how many pictures the row is of where those are not all."""
        if self.pictures is None:
            return self.name
        return '{} ({} of {} pictures)'.format(self.name, *self.pictures)


@dataclass(frozen=True)
class CompositionTable:
    """What :func:`evaluate` found.

    Args:
        rows: A row for each detector.
        groups: Class names by who knows them: one teacher alone, several, or none.
        diagnoses: By row what is wrong with its boxes; and of 'pseudo-labels', the fused boxes that
            the label pipeline lets the student learn from.
    """

    rows: list[Row]
    groups: dict[str, list[str]]
    diagnoses: dict[str, Diagnosis] = field(default_factory=dict)

    @property
    def num_teachers(self) -> int:
        """How many rows are of teachers: they come first."""
        return [row.name for row in self.rows].index(FUSED)

    @property
    def labels(self) -> dict[str, str]:
        """What each row is called where it is shown, by its name."""
        return {row.name: row.label for row in self.rows}

    @property
    def has_masks(self) -> bool:
        """Whether anybody's masks were scored."""
        return any(not math.isnan(row.scores.mask_mAP) for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a JSON file; None where there is no figure."""
        rows = {}
        for row in self.rows:
            rows[row.name] = {
                'mAP': row.scores.mAP,
                'AP50': row.scores.AP50,
                **(_mask_figures(row.scores) if self.has_masks else {}),
                **{g: row.scores.mean_over(names) for g, names in self.groups.items()},
                'parameters': row.num_parameters,
                'ms': row.milliseconds,
                'pictures': row.pictures and list(row.pictures),
            }
        per_class = {row.name: row.scores.by_class for row in self.rows}
        plain: dict[str, Any] = without_nan(
            {'rows': rows, 'per_class': per_class, 'groups': self.groups}
        )
        return plain


def _mask_figures(scores: Scores) -> dict[str, float]:
    return {'mask mAP': scores.mask_mAP, 'mask AP50': scores.mask_AP50}


def evaluate(
    composition: Composition,
    truth: BaseDataset,
    models: Mapping[str, Teacher],
    score_floor: float = 0.01,
    pipeline: LabelPipeline | None = None,
) -> CompositionTable:
    """Score teachers, fused labels and further models, such as the student and an oracle.

    Args:
        composition: Teachers and class space.
        truth: A labeled dataset in the student's classes.
        models: By name, detectors of the student's classes.
        score_floor: Boxes below are left out in every row.
        pipeline: The composition's, with what its steps learned. Defaults to one whose steps
            learn nothing.

    Returns:
        The table; pictures that cannot be read are left out of every row, and those on which a
        teacher did not predict of its own.
    """
    # A teacher may predict coarser classes than any of the student's.
    num_classes = len(composition.class_space.classes)
    known = _known(composition)
    diagnoses = {}
    has_masks: list[bool] = []

    listed = images_of(truth)
    with preserve_process_state():
        # Teachers are timed next.
        shown = composition.label_inputs(listed, keep_open=True)
    inputs = [shown[row] for row in shown.readable]
    infos = [truth.get_data_info(row) for row in shown.readable]
    images = [listed[row] for row in shown.readable]
    timed = images[:_TIMED_IMAGES]

    def row(name: str, found: Sequence[Detections], size: int | None, seconds: float) -> Row:
        of = [info for info, each in zip(infos, found, strict=True) if each.asked]
        asked = [each for each in found if each.asked]
        kept = [each[(each.scores >= score_floor) & (each.labels < num_classes)] for each in asked]
        scores = score(of, kept, composition.class_space.classes)
        diagnoses[name] = diagnose(of, kept, known.get(name, range(num_classes)))
        pictures = (len(of), len(infos)) if len(of) < len(infos) else None
        has_masks.append(any(each.masks is not None for each in kept))
        return Row(name, scores, size, seconds * 1000, pictures)

    rows = []
    with preserve_process_state():
        teachers = composition.teachers
        seconds = {n: _seconds(t.predict, timed) for n, t in teachers.items()}
        sizes = {name: teacher.num_parameters for name, teacher in teachers.items()}
        for name in teachers:
            found = [by_teacher[name] for by_teacher, _ in inputs]
            rows.append(row(name, found, sizes[name], seconds[name]))
        pipeline = pipeline or composition.pipeline
        fuse = pipeline.without_bands()
        started = time.perf_counter()
        fused = [fuse.apply(by_teacher, context) for by_teacher, context in inputs]
        fusing = (time.perf_counter() - started) / max(len(inputs), 1)
        run = list(teachers.values())
        if composition.looker:
            run.append(composition.looker)
            fusing += _seconds(composition.looker.predict, timed)
        rows.append(row(FUSED, fused, total_parameters(run), sum(seconds.values()) + fusing))
        labels = [pipeline.apply(by_teacher, context) for by_teacher, context in inputs]
        diagnoses[PSEUDO_LABELS] = diagnose(infos, labels, range(num_classes), as_many=False)
        for name, model in models.items():
            found = _predict(model, images, name)
            rows.append(row(name, found, model.num_parameters, _seconds(model.predict, timed)))
    if any(has_masks):
        warn_of_missing_masks(infos)
    return CompositionTable(rows, class_groups(composition), diagnoses)


def _known(composition: Composition) -> dict[str, list[int]]:
    """Return by teacher the student's classes that it knows."""
    space = composition.class_space
    columns = zip(space.teachers, space.owners.T, strict=True)
    return {name: owned.nonzero()[0].tolist() for name, owned in columns}


def class_groups(composition: Composition) -> dict[str, list[str]]:
    """Return the student's classes by who knows them: one teacher alone, several, nobody."""
    space = composition.class_space
    groups: dict[str, list[str]] = {f'only {teacher}': [] for teacher in space.teachers}
    groups |= {'shared': [], 'no owner': []}
    for name, owners in zip(space.classes, space.owners, strict=True):
        if owners.sum() == 1:
            groups[f'only {space.teachers[int(owners.argmax())]}'].append(name)
        else:
            groups['shared' if owners.any() else 'no owner'].append(name)
    return {group: names for group, names in groups.items() if names}


def _predict(model: Teacher, images: Sequence[Image], name: str) -> list[Detections]:
    found: list[Detections] = []
    for start in progress(range(0, len(images), 32), name, -(-len(images) // 32)):
        chunk = list(images[start : start + 32])
        found += model.predict(chunk)
        for image in chunk:
            image.forget_pixels()
    return found


def _seconds(predict: Callable[[Sequence[Image]], Any], images: Sequence[Image]) -> float:
    """Return the median time of one image at a time, after a first that warms up."""
    times = []
    for image in (images[0], *images):
        assert image.pixels.size
        started = time.perf_counter()
        predict([image])
        times.append(time.perf_counter() - started)
        image.forget_pixels()
    return median(times[1:])
