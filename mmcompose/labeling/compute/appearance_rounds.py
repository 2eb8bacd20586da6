"""Learn the appearance of classes and of picture domains, in rounds, from noisily labeled boxes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.compute.appearance import FOLDS
from mmcompose.labeling.compute.discriminant import Axes, Discriminant, discriminant
from mmcompose.labeling.compute.picture_domains import (
    best_by_picture,
    box_trust,
    learn_domains,
    picture_trust,
)
from mmcompose.labeling.compute.same_place import conflicting_pairs, share_of_place
from mmcompose.labeling.compute.sampling import rows_of_images
from mmcompose.labeling.compute.soft_labels import (
    class_factor,
    known_share,
    own_class_chance,
    soft_labels,
)
from mmcompose.labeling.compute.state import State
from mmcompose.labeling.compute.teacher_relevance import box_relevance, teacher_relevances

Bools = NDArray[np.bool_]

# By which power of their chance boxes teach, round after round: first the surest, of which most
# are right even where a weak teacher predicts its one class on all that nobody knows; with 2 in all
# rounds, it ended with a name for people where it knew birds. Specialists gain 0.06 to 0.14 of
# macro F1, pools of three strangers 0.02 on average, of which two of ten lose 0.01 to 0.04.
_POWERS = (8.0, 8.0, 8.0, 8.0, 4.0, 4.0, 2.0, 2.0)
# Fits cost the square of the features' number: of 432 that PictureFeatures gives, 192 of
# their main directions lose at most 0.02 anywhere, and gain as much elsewhere.
_AXES = 192
# Of so many boxes a class's mean is drawn halfway to that of all.
_FEW = 2.0
# While classes are learned, the likeliest box in a place takes nearly all of it.
_CONTEST = 4.0
# A less relevant teacher owns no class that others are compared with.
_ALIVE = 0.5


class Judged(NamedTuple):
    """What became of the boxes of a sample.

    Args:
        before: ``(N,)``, their scores.
        after: ``(N,)``.
        likelihoods: ``(N, C + 1)``, of each class, background last.
        labels: ``(N,)``.
        votes: ``(N, T)``.
    """

    before: NDArray[np.float64]
    after: NDArray[np.float64]
    likelihoods: NDArray[np.float32]
    labels: NDArray[np.int64]
    votes: Bools


class Appearance(NamedTuple):
    """What was learned of classes, of picture domains, and of teachers.

    Args:
        classes: Of C classes and background.
        domains: Of each teacher, its domain of pictures and others.
        relevances: ``(T,)`` in [0, 1].
    """

    classes: Discriminant
    domains: list[Discriminant]
    relevances: NDArray[np.float64]


class Sample:
    """Boxes and pictures of a sample, one part of the pool after another.

    Args:
        state: As :func:`mmcompose.labeling.compute.appearance_sample.collect_appearance` returns.
        known: ``(T, C)``, which classes each teacher was trained to distinguish.
        owners: ``(C, T)``.
    """

    def __init__(self, state: State, known: Bools, owners: Bools) -> None:
        folds = (state['hashes'] % np.uint64(FOLDS)).astype(np.int64)
        # In a part by hash: where a picture stands in the pool must change nothing.
        order = np.lexsort((state['hashes'], folds))
        counts = state['counts'][order]
        rows = rows_of_images(state['counts'], order)
        self.known, self.owners = known, owners
        self.scores = state['scores'][rows].astype(np.float64)
        self.labels = state['labels'][rows].astype(np.int64)
        self.votes = state['votes'][rows]
        self.pictures = np.repeat(np.arange(len(order)), counts)
        ends = np.concatenate([[0], np.cumsum(counts)])
        edges = np.searchsorted(folds[order], np.arange(FOLDS + 1))
        self.picture_parts = [slice(*edges[fold : fold + 2].tolist()) for fold in range(FOLDS)]
        self.parts = [slice(*ends[edges[fold : fold + 2]].tolist()) for fold in range(FOLDS)]
        boxes = state['boxes'][rows]
        self.pairs = conflicting_pairs(boxes, self.labels, self.votes, known, ends.tolist())
        features, of_pictures = state['features'][rows], state['pictures'][order]
        self.axes = Axes.of(features, self.scores, _AXES)
        self.picture_axes = Axes.of(of_pictures, np.ones(len(of_pictures)), _AXES)
        self.features = self.axes.project(features)
        self.picture_features = self.picture_axes.project(of_pictures)

    def learn_domains(
        self, scores: NDArray[np.float64]
    ) -> tuple[list[Discriminant], NDArray[np.float64], NDArray[np.float64]]:
        """Return each teacher's domain, and ``(I, T)`` its best score and the trust."""
        best = best_by_picture(scores, self.votes, self.pictures, len(self.picture_features))
        domains = learn_domains(self.picture_features, best, self.picture_parts)
        likelihoods = [each.of(self.picture_parts, self.picture_features) for each in domains]
        trust = np.stack([picture_trust(each) for each in likelihoods], axis=1)
        return domains, best, trust

    def learn_classes(
        self,
        chances: NDArray[np.float64],
        power: float,
        relevance: NDArray[np.float64] | None = None,
    ) -> Discriminant:
        """Return how classes appear, by boxes that are right with these chances.

        Args:
            chances: ``(N,)``.
            power: As of :func:`soft_labels`.
            relevance: ``(N,)``, how far each box teaches anything, be it of background. Defaults
                to all boxes alike.
        """
        contest = np.sqrt(share_of_place(chances, self.pairs, _CONTEST))
        targets = soft_labels(chances * contest, self.labels, len(self.owners), power)
        if relevance is not None:
            targets *= relevance[:, None].astype(np.float32)
        return discriminant(self.features, targets, self.parts, _FEW)


def learn_appearance(sample: Sample) -> tuple[Appearance, Judged]:
    """Learn from the boxes as they are, then from what each round leaves of their scores."""
    every = np.ones(len(sample.owners), np.bool_)
    share = known_share(sample.votes, sample.known, every)
    _, best, trust = sample.learn_domains(sample.scores)
    trusted = box_trust(trust[sample.pictures], sample.votes, share)
    classes = sample.learn_classes(sample.scores * trusted, _POWERS[-1])
    likelihoods = classes.of(sample.parts, sample.features)
    rows = np.arange(len(sample.labels))
    margins = likelihoods[rows, sample.labels] - likelihoods[:, -1]
    evidence = sample.scores, sample.votes, margins, best, trust, sample.picture_features
    relevances = teacher_relevances(*evidence, sample.owners)
    share = known_share(sample.votes, sample.known, alive_classes(relevances, sample.owners))
    relevance = box_relevance(relevances, sample.votes, sample.labels, sample.owners)
    scores, factor = sample.scores * relevance, np.ones(len(rows))
    for power in _POWERS:
        domains, _, trust = sample.learn_domains(scores * factor)
        trusted = box_trust(trust[sample.pictures], sample.votes, share)
        classes = sample.learn_classes(scores * trusted * factor, power, relevance)
        likelihoods = classes.of(sample.parts, sample.features)
        own = own_class_chance(
            likelihoods, sample.labels, sample.votes, sample.known, classes.sizes
        )
        factor = class_factor(own, sample.labels, share, classes.sizes)
    checked = scores * trusted * factor
    lifted = sample.axes.lift(classes), [sample.picture_axes.lift(each) for each in domains]
    judged = Judged(sample.scores, checked, likelihoods, sample.labels, sample.votes)
    return Appearance(*lifted, relevances), judged


def alive_classes(relevances: NDArray[np.float64], owners: Bools) -> Bools:
    """Return ``(C,)``: the classes that some relevant teacher owns.

    Args:
        relevances: ``(T,)``.
        owners: ``(C, T)``.
    """
    alive: Bools = np.any(owners & (relevances >= _ALIVE), axis=1)
    return alive


def splits(state: State) -> bool:
    """Return whether every part of the pool leaves others to learn from."""
    return bool(state) and len(np.unique(state['hashes'] % np.uint64(FOLDS))) == FOLDS
