"""One object, one name: compare each box with what looks alike in other pictures."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, ImageContext, LabelStream, LabelTransform
from mmcompose.labeling.compute.appearance import FOLDS, box_features, fold_of, picture_features
from mmcompose.labeling.compute.appearance_losses import describe_losses, losses_of
from mmcompose.labeling.compute.appearance_sample import (
    collect_appearance,
    merge_appearance,
    votes_of,
)
from mmcompose.labeling.compute.discriminant import Discriminant
from mmcompose.labeling.compute.naming import (
    box_trust,
    checked_scores,
    learn_names,
    learn_worlds,
    name_factor,
    splits,
    world_trust,
)
from mmcompose.labeling.compute.state import State
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections


@LABEL_TRANSFORMS.register_module()
class AppearanceCheck(LabelTransform):
    """Lower the score of a box that looks unlike others of its name.

    A teacher knows its own classes and its own kind of picture. Elsewhere its scores are no
    chances: who never saw a sheep calls it a dog, and is sure. What boxes look like, by the
    features of a network that was trained on other pictures, shows it without a label: boxes of
    all teachers teach what each name looks like (:mod:`mmcompose.labeling.compute.naming`), sure
    ones more, and each box is compared with all names, of which its voters' own count less; and
    with background. No picture is judged by itself.

    By the same means it is learned what the pictures look like in which each teacher is sure; in
    others its scores fall, as far as there are classes that it does not know. So the step changes
    most where teachers share nothing, and least where all know every class.

    Stands after a fusion. Where nobody looked at the pictures, it changes nothing.

    Args:
        features: The config dict of what looks at them. Defaults to
            ``dict(type='mmcompose.PictureFeatures')``, which needs the extra ``efficientnet``.
    """

    rounds = 1

    def __init__(self, features: dict[str, Any] | None = None) -> None:
        self.features = features or {'type': 'mmcompose.PictureFeatures'}

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """See :meth:`LabelTransform.bind`."""
        super().bind(class_space, weights)
        self._known = _known(class_space)
        self._tabulate()

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """Set ``names`` and by teacher ``worlds``, and ``losses``: what became of the scores."""
        super().load_learned(learned)
        self._tabulate()

    def _tabulate(self) -> None:
        self._names = _discriminant(self.learned['names']) if self.learned else None
        worlds = self.learned.get('worlds', {})
        self._worlds = [_discriminant(worlds[name]) for name in self.class_space.teachers if worlds]

    def describe_learned(self) -> list[str]:
        """See :meth:`LabelTransform.describe_learned`."""
        return describe_losses(self.learned.get('losses', {}))

    def collect(self, stream: LabelStream) -> State:
        """See :meth:`LabelTransform.collect`."""
        return collect_appearance(stream, self.class_space)

    def merge(self, states: Sequence[State]) -> State:
        """See :meth:`LabelTransform.merge`."""
        return merge_appearance(states)

    def learn(self, state: State) -> None:
        """See :meth:`LabelTransform.learn`."""
        folds = (state['hashes'] % np.uint64(FOLDS)).astype(np.int64) if state else np.zeros(0, int)
        if not splits(folds):
            return
        counts, votes, labels = state['counts'], state['votes'], state['labels'].astype(np.int64)
        features = state['features'].astype(np.float32)
        pictures, best = state['pictures'].astype(np.float32), state['best']
        worlds = learn_worlds(pictures, best, folds)
        trust = np.stack([world_trust(each.of(folds, pictures)) for each in worlds], axis=1)
        trusted = box_trust(np.repeat(trust, counts, axis=0), votes, self._known)
        own = np.repeat(folds, counts)
        scores = state['scores'].astype(np.float64)
        names = learn_names(features, scores * trusted, labels, votes, self._known, own)
        likelihoods = names.of(own, features)
        factor = name_factor(likelihoods, labels, votes, self._known, names.sizes)
        checked = checked_scores(scores, trusted, factor)
        self.load_learned(
            {
                'names': _plain(names),
                'worlds': {
                    name: _plain(each)
                    for name, each in zip(self.class_space.teachers, worlds, strict=True)
                },
                'losses': losses_of(scores, checked, likelihoods, labels, votes, self.class_space),
            }
        )

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        if self._names is None or image.cells is None or not len(image.cells):
            return detections
        fold, look = fold_of(image.key), picture_features(image.cells)[None]
        trust = np.array([world_trust(each.of_fold(fold, look))[0] for each in self._worlds])
        return {
            name: self._checked(found, votes_of(name, found, self.class_space), fold, trust, image)
            for name, found in detections.items()
        }

    def _checked(
        self,
        found: Detections,
        votes: NDArray[np.bool_],
        fold: int,
        trust: NDArray[np.float64],
        image: ImageContext,
    ) -> Detections:
        assert self._names is not None and image.cells is not None
        if not len(found):
            return found
        likelihoods = self._names.of_fold(fold, box_features(image.cells, found.boxes))
        sizes = self._names.sizes
        factor = name_factor(likelihoods, found.labels, votes, self._known, sizes)
        trusted = box_trust(np.broadcast_to(trust, votes.shape), votes, self._known)
        return replace(found, scores=checked_scores(found.scores, trusted, factor)).sorted()


def _known(space: ClassSpace) -> NDArray[np.bool_]:
    """Return ``(T, C)``: which classes each teacher was trained on, dropped ones too."""
    known = space.owners.T.copy()
    for row, name in enumerate(space.teachers):
        labels = space.index(space.teacher_classes[name])
        known[row, labels[labels >= 0]] = True
    return known


def _plain(fitted: Discriminant) -> dict[str, Any]:
    # Half precision and base64: as lists of numbers they would take six times the room.
    weights = fitted.weights.astype(np.float16)
    return {
        'shape': list(weights.shape),
        'weights': base64.b64encode(weights.tobytes()).decode(),
        'biases': fitted.biases.round(4).tolist(),
        'sizes': fitted.sizes.round(2).tolist(),
    }


def _discriminant(plain: Mapping[str, Any]) -> Discriminant:
    content = np.frombuffer(base64.b64decode(plain['weights']), np.float16)
    return Discriminant(
        content.reshape(plain['shape']).astype(np.float32),
        np.array(plain['biases'], np.float32),
        np.array(plain['sizes'], np.float64),
    )
