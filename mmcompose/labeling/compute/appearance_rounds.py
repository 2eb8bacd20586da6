"""Learn what names and kinds of pictures look like, in rounds, from boxes whose names are noisy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcompose.labeling.compute.appearance import FOLDS
from mmcompose.labeling.compute.discriminant import Axes, Discriminant, discriminant
from mmcompose.labeling.compute.naming import (
    confusions,
    known_share,
    name_factor,
    own_name,
    soft_names,
)
from mmcompose.labeling.compute.picture_kinds import (
    best_by_picture,
    box_trust,
    learn_kinds,
    picture_trust,
)
from mmcompose.labeling.compute.same_place import conflicting_pairs, share_of_place
from mmcompose.labeling.compute.state import State
from mmcompose.labeling.compute.teacher_worth import box_worth, teacher_worths

Bools = NDArray[np.bool_]

# After eight rounds of learning from checked boxes, specialists have gained 0.1 of macro F1 over
# two, strangers nothing; twelve gave no more.
_ROUNDS = 8
# Fits cost the square of the features' number: of 432 that PictureFeatures gives, 192 of
# their main directions lose at most 0.02 anywhere, and gain as much elsewhere.
_AXES = 192
# Of so many boxes a name's look is drawn halfway to that of all.
_FEW = 2.0
# While names are learned, the likeliest box in a place takes nearly all of it.
_CONTEST = 4.0
# A teacher of less worth owns no class that others are compared with.
_ALIVE = 0.5


class Judged(NamedTuple):
    """What became of the boxes of a sample.

    Args:
        before: ``(N,)``, their scores.
        after: ``(N,)``.
        likelihoods: ``(N, C + 1)``, of each name, background last.
        labels: ``(N,)``.
        votes: ``(N, T)``.
    """

    before: NDArray[np.float64]
    after: NDArray[np.float64]
    likelihoods: NDArray[np.float32]
    labels: NDArray[np.int64]
    votes: Bools


class Looks(NamedTuple):
    """What was learned of names, of kinds of pictures, and of teachers.

    Args:
        names: Of C names and background.
        kinds: Of each teacher, its kind of picture and others.
        worths: ``(T,)`` in [0, 1].
    """

    names: Discriminant
    kinds: list[Discriminant]
    worths: NDArray[np.float64]


class Sample:
    """Boxes and pictures of a sample, one part of the pool after another.

    Args:
        state: As :func:`mmcompose.labeling.compute.appearance_sample.collect_appearance` returns.
        known: ``(T, C)``, which classes each teacher was trained to distinguish.
        owners: ``(C, T)``.
    """

    def __init__(self, state: State, known: Bools, owners: Bools) -> None:
        folds = (state['hashes'] % np.uint64(FOLDS)).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(state['counts'])])
        order = np.argsort(folds, kind='stable')
        counts = state['counts'][order]
        rows = np.concatenate([np.arange(offsets[row], offsets[row + 1]) for row in order])
        self.known, self.owners = known, owners
        self.scores = state['scores'][rows].astype(np.float64)
        self.labels = state['labels'][rows].astype(np.int64)
        self.votes = state['votes'][rows]
        self.pictures = np.repeat(np.arange(len(order)), counts)
        ends = np.concatenate([[0], np.cumsum(counts)])
        edges = np.searchsorted(folds[order], np.arange(FOLDS + 1))
        self.picture_parts = [slice(*edges[fold : fold + 2].tolist()) for fold in range(FOLDS)]
        self.parts = [slice(*ends[edges[fold : fold + 2]].tolist()) for fold in range(FOLDS)]
        knows = (self.votes @ known.astype(np.int64)) > 0
        boxes = state['boxes'][rows]
        self.pairs = conflicting_pairs(boxes, self.labels, knows, ends.tolist())
        self.penalties = confusions(self.votes, known)
        features = state['features'][rows].astype(np.float32)
        looks = state['pictures'][order].astype(np.float32)
        self.axes = Axes.of(features, self.scores, _AXES)
        self.picture_axes = Axes.of(looks, np.ones(len(looks)), _AXES)
        self.features = self.axes.project(features)
        self.looks = self.picture_axes.project(looks)

    def learn_kinds(
        self, scores: NDArray[np.float64]
    ) -> tuple[list[Discriminant], NDArray[np.float64], NDArray[np.float64]]:
        """Return each teacher's kind of picture, and ``(I, T)`` its best score and the trust."""
        best = best_by_picture(scores, self.votes, self.pictures, len(self.looks))
        kinds = learn_kinds(self.looks, best, self.picture_parts)
        trust = [picture_trust(each.of(self.picture_parts, self.looks)) for each in kinds]
        return kinds, best, np.stack(trust, axis=1)

    def learn_names(self, chances: NDArray[np.float64]) -> Discriminant:
        """Return what names look like, by boxes that are right with these chances."""
        contest = np.sqrt(share_of_place(chances, self.pairs, _CONTEST))
        names = soft_names(chances * contest, self.labels, len(self.owners))
        return discriminant(self.features, names, self.parts, _FEW)


def learn_looks(sample: Sample) -> tuple[Looks, Judged]:
    """Learn from the boxes as they are, then from what each round leaves of their scores."""
    every = np.ones(len(sample.owners), np.bool_)
    share = known_share(sample.votes, sample.known, every)
    _, best, trust = sample.learn_kinds(sample.scores)
    trusted = box_trust(trust[sample.pictures], sample.votes, share)
    names = sample.learn_names(sample.scores * trusted)
    likelihoods = names.of(sample.parts, sample.features)
    rows = np.arange(len(sample.labels))
    looks = likelihoods[rows, sample.labels] - likelihoods[:, -1]
    worths = teacher_worths(sample.scores, sample.votes, looks, best, trust, sample.owners)
    share = known_share(sample.votes, sample.known, alive_classes(worths, sample.owners))
    worth = box_worth(worths, sample.votes, sample.labels, sample.owners)
    scores, factor = sample.scores * worth, np.ones(len(rows))
    for _ in range(_ROUNDS):
        kinds, _, trust = sample.learn_kinds(scores * factor)
        trusted = box_trust(trust[sample.pictures], sample.votes, share)
        names = sample.learn_names(scores * trusted * factor)
        likelihoods = names.of(sample.parts, sample.features)
        own = own_name(likelihoods, sample.labels, sample.penalties, names.sizes)
        factor = name_factor(own, sample.labels, share, names.sizes)
    checked = scores * trusted * factor
    lifted = sample.axes.lift(names), [sample.picture_axes.lift(each) for each in kinds]
    judged = Judged(sample.scores, checked, likelihoods, sample.labels, sample.votes)
    return Looks(*lifted, worths), judged


def alive_classes(worths: NDArray[np.float64], owners: Bools) -> Bools:
    """Return ``(C,)``: the classes that some teacher of worth owns.

    Args:
        worths: ``(T,)``.
        owners: ``(C, T)``.
    """
    alive: Bools = np.any(owners & (worths >= _ALIVE), axis=1)
    return alive


def splits(state: State) -> bool:
    """Return whether every part of the pool leaves others to learn from."""
    return bool(state) and len(np.unique(state['hashes'] % np.uint64(FOLDS))) == FOLDS
