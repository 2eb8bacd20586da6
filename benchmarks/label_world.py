"""What the teachers say of photographs whose truth is known, and how well labels made of it do."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from label_measures import Judged, best_owners, gain_by_owners
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from voc_teachers import VOC

from mmcompose.class_space import ClassSpace
from mmcompose.composition import Composition
from mmcompose.datasets import images_of
from mmcompose.datasets.truth import truth_of
from mmcompose.engine.read_composition import pool_of
from mmcompose.evaluation import Scores, score
from mmcompose.labeling import LabelInput, LabelPipeline
from mmcompose.structures import Detections, Image

CONFIG = (
    'configs/compose/voc/yolox-nano_voc-a_yolox-nano_voc-b_yolox-nano_coco_yolox-nano_320_6e.py'
)

Step = dict[str, Any]
Figures = dict[str, float]

GLOBAL_THRESHOLDS = np.arange(0.02, 0.96, 0.02)
SEED = 0


@dataclass(frozen=True)
class World:
    """What the teachers say, and what is there.

    Args:
        space: The classes and the teachers, all of which have the same weight.
        pool: What they say of each unlabelled image.
        labelled: Of each labelled one, in the order of ``truth``.
        truth: The true boxes by image key.
        infos: The data infos of the labelled images, for the metric.
        halves: Rows of the labelled images, of one half and the other.
    """

    space: ClassSpace
    pool: list[LabelInput]
    labelled: list[LabelInput]
    truth: dict[str, Detections]
    infos: list[Mapping[str, Any]]
    halves: tuple[Sequence[int], Sequence[int]]

    @property
    def classes(self) -> tuple[str, ...]:
        """The student's classes."""
        return self.space.classes

    @property
    def owners_of(self) -> dict[str, list[str]]:
        """By class the teachers that know it."""
        space = self.space
        return {
            name: [t for t, owns in zip(space.teachers, row, strict=True) if owns]
            for name, row in zip(space.classes, space.owners, strict=True)
        }

    def pipeline(self, steps: Sequence[Step]) -> LabelPipeline:
        """Return a label pipeline for these teachers, none of its steps fitted."""
        return LabelPipeline(steps).bind(self.space, np.ones(len(self.space.teachers)))

    def with_truth(self, labeled: Sequence[LabelInput]) -> list[LabelInput]:
        """Return images with what is in them."""
        return [(said, replace(at, truth=self.truth[at.key])) for said, at in labeled]

    def average_precision(self, found: Sequence[Detections], rows: Sequence[int]) -> Scores:
        """Score detections of all labelled images on some of them, by MMDet's CocoMetric."""
        infos, detections = [self.infos[row] for row in rows], [found[row] for row in rows]
        # pycocotools prints.
        with contextlib.redirect_stdout(io.StringIO()):
            return score(infos, detections, self.classes)

    def judge(self, kept: Sequence[Detections], rows: Sequence[int]) -> Judged:
        """Judge the kept boxes of all labelled images on some of them."""
        truth = list(self.truth.values())
        return Judged.of(
            [kept[row] for row in rows], [truth[row] for row in rows], len(self.classes)
        )

    def of_pool(self, truth: Labelled) -> World:
        """Return a world in which the pool is what labels are measured on, in two halves.

        Args:
            truth: What is there on the pool's images.
        """
        keys = [context.key for _, context in self.pool]
        assert list(truth.truth) == keys, 'the truth is not that of the pool, in its order'
        return replace(
            self,
            labelled=self.pool,
            truth=truth.truth,
            infos=truth.infos,
            halves=_halves(len(keys)),
        )

    def spoiled(self, teacher: str) -> World:
        """Return a world in which a teacher says random boxes of half of the images.

        Their scores and labels stay: nothing but the place tells that they are wrong.
        """
        return replace(
            self,
            pool=spoil(self.pool, teacher, SEED),
            labelled=spoil(self.labelled, teacher, SEED + 1),
        )


def spoil(said: Sequence[LabelInput], teacher: str, seed: int) -> list[LabelInput]:
    """Return the same with random boxes of one teacher on half of the images."""
    rng = np.random.default_rng(seed)
    bad = rng.permutation(len(said)) < len(said) // 2
    made = []
    for (by_teacher, context), is_bad in zip(said, bad, strict=True):
        if is_bad:
            found = by_teacher[teacher]
            corners = np.sort(rng.uniform(0, 1, (len(found), 2, 2)), axis=1).reshape(-1, 4)
            size = np.array([context.width, context.height] * 2)
            found = Detections.from_arrays(corners * size, found.scores, found.labels)
            by_teacher = {**by_teacher, teacher: found}
        made.append((by_teacher, context))
    return made


@dataclass(frozen=True)
class Labelled:
    """Images whose truth is known.

    Args:
        images: The images.
        truth: The true boxes by image key.
        infos: The data infos of the images, for the metric.
    """

    images: list[Image]
    truth: dict[str, Detections]
    infos: list[Mapping[str, Any]]

    @classmethod
    def read(
        cls, config: Config, composition: Composition, ann_file: str | None = None
    ) -> Labelled:
        """Read the validation images of a config, or another annotation file of the same kind."""
        val = {**config.val_dataloader.dataset, 'pipeline': []}
        if ann_file is not None:
            val['ann_file'] = ann_file
        wrapped = {
            'type': 'mmcompose.ClassSpaceDataset',
            'dataset': val,
            'classes': composition.class_space.classes,
            'aliases': config.composition.class_space.aliases,
        }
        with DefaultScope.overwrite_default_scope('mmdet'):
            dataset = DATASETS.build(wrapped)
        infos = [dataset.get_data_info(row) for row in range(len(dataset))]
        images = images_of(dataset)
        truth = {image.key: truth_of(info) for image, info in zip(images, infos, strict=True)}
        return cls(images, truth, infos)


def what_teachers_say(composition: Composition, images: Sequence[Image]) -> list[LabelInput]:
    """Return what the teachers say of images, letting them predict what the store lacks."""
    return list(composition.label_inputs(images))


def _halves(count: int) -> tuple[list[int], list[int]]:
    rows = np.random.default_rng(SEED).permutation(count)
    return sorted(rows[::2].tolist()), sorted(rows[1::2].tolist())


def read_world(voc: VOC) -> tuple[World, World]:
    """Let the teachers predict, as far as the store does not know what they say.

    Returns:
        The world that labels are measured in, on val.json; and the one that nothing was chosen
        in, where the pool's own truth is what they are measured on.
    """
    config = Config.fromfile(CONFIG)
    composition = Composition.from_config(config.composition.to_dict())
    val = Labelled.read(config, composition)
    truth_file = str(voc.annotations / 'unlabeled_ground_truth.json')
    truth = Labelled.read(config, composition, truth_file)
    world = World(
        space=composition.class_space.with_coarse,
        pool=what_teachers_say(composition, pool_of(config) or ()),
        labelled=what_teachers_say(composition, val.images),
        truth=val.truth,
        infos=val.infos,
        halves=_halves(len(val.images)),
    )
    return world, world.of_pool(truth)


class Bench:
    """Measures label pipelines in one world, both ways round.

    Args:
        world: What the teachers say.
        known: For both halves, by teacher, what was measured before.
    """

    def __init__(self, world: World, known: Sequence[Mapping[str, Scores]] = ({}, {})) -> None:
        self.world = world
        teachers = world.space.teachers
        self.alone = {name: [said[name] for said, _ in world.labelled] for name in teachers}
        self.by_teacher = [
            {
                name: known[fold].get(name) or world.average_precision(found, half)
                for name, found in self.alone.items()
            }
            for fold, half in enumerate(world.halves)
        ]
        # Of each class the best owner, by what it reaches on the other half, or on this one.
        self.chosen = [best_owners(self.by_teacher[1 - fold], world.owners_of) for fold in (0, 1)]
        self.oracle = [best_owners(self.by_teacher[fold], world.owners_of) for fold in (0, 1)]

    def spoiled(self, teacher: str) -> Bench:
        """Return the same of :meth:`World.spoiled`."""
        others = [{n: s for n, s in scores.items() if n != teacher} for scores in self.by_teacher]
        return Bench(self.world.spoiled(teacher), others)

    def fitted(self, steps: Sequence[Step], fold: int) -> LabelPipeline:
        """Return a pipeline that learned from the pool and from the half not measured."""
        labeled = self.world.with_truth(self.world.labelled)
        other = [labeled[row] for row in self.world.halves[1 - fold]]
        return self.world.pipeline(steps).fit(lambda: self.world.pool, lambda: other)

    def precision(self, found: Sequence[Detections], fold: int) -> Figures:
        """Return mAP, and how far it is above the best single owner of each class, in points."""
        scores = self.world.average_precision(found, self.world.halves[fold])
        figures = {'mAP': scores.mAP}
        for name, owners in (('', self.chosen[fold]), (' chosen by an oracle', self.oracle[fold])):
            gains = gain_by_owners(scores, self.by_teacher[fold], owners, self.world.owners_of)
            figures |= {f'gain of {n} owners{name}': value for n, value in gains.items()}
            counts = [len(each) for each in self.world.owners_of.values()]
            total = sum(gains[count] for count in counts if count in gains)
            figures[f'gain{name}'] = total / sum(count in gains for count in counts)
        return figures

    def kept(self, kept: Sequence[Detections], fold: int) -> Figures:
        """Return the figures of the boxes that a filter keeps."""
        return asdict(self.world.judge(kept, self.world.halves[fold]).kept())

    def at_its_best_threshold(self, found: Sequence[Detections], fold: int) -> Figures:
        """Return the figures at the one threshold that is best on the very half measured."""
        judged = self.world.judge(found, self.world.halves[fold])
        tried = [{'threshold': float(t), **asdict(judged.kept(t))} for t in GLOBAL_THRESHOLDS]
        return max(tried, key=lambda figures: figures['f1'])


def both(measure: Callable[[int], Figures]) -> dict[str, Any]:
    """Measure both ways round; return the means, and the figures of each."""
    folds = [measure(fold) for fold in (0, 1)]
    mean = {name: float(np.mean([figures[name] for figures in folds])) for name in folds[0]}
    return {**mean, 'folds': folds}
