"""Compare the appearance of each box with that of its class in other pictures."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcompose.class_space import ClassSpace
from mmcompose.labeling.base import ByTeacher, ImageContext, LabelStream, LabelTransform
from mmcompose.labeling.compute.appearance import (
    box_features,
    fold_of,
    picture_features,
)
from mmcompose.labeling.compute.appearance_losses import describe_losses, losses_of
from mmcompose.labeling.compute.appearance_rounds import (
    Appearance,
    Sample,
    alive_classes,
    learn_appearance,
    splits,
)
from mmcompose.labeling.compute.appearance_sample import (
    collect_appearance,
    merge_appearance,
    votes_of,
)
from mmcompose.labeling.compute.discriminant import Discriminant
from mmcompose.labeling.compute.picture_domains import box_trust, picture_trust
from mmcompose.labeling.compute.soft_labels import (
    class_factor,
    known_share,
    own_class_chance,
)
from mmcompose.labeling.compute.state import State
from mmcompose.labeling.compute.teacher_relevance import box_relevance
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections


@LABEL_TRANSFORMS.register_module()
class AppearanceCheck(LabelTransform):
    """Lower the score of a box that looks unlike others of its class.

    Linear discriminant analysis (Fisher 1936) on features of a network that was trained on other
    pictures, with soft labels from the teachers and folds over the pool (as Northcutt et al.,
    "Confident Learning", JAIR 2021, find wrong labels out of sample).

    A teacher was trained on its own classes and its own domain of pictures. Elsewhere its scores
    are no chances: a detector that never saw a sheep predicts a dog there, with a high score. What
    boxes look like shows it without a label. Boxes of all teachers are soft labels of their class
    (:mod:`mmcompose.labeling.compute.soft_labels`), sure ones more, and each box is compared with
    all classes, of which those of its voters count less; and with background. Of boxes in one
    place whose classes no teacher has together, the likelier one teaches
    (:mod:`~mmcompose.labeling.compute.same_place`).

    By the same means it is learned what the pictures look like in which each teacher is sure
    (:mod:`~mmcompose.labeling.compute.picture_domains`); in others its scores fall, as far as there
    are classes that it does not know. So the step changes most where teachers share nothing, and
    least where all know every class. Both are learned again of what the last round left of the
    scores, first of the surest boxes, then of more
    (:mod:`~mmcompose.labeling.compute.appearance_rounds`). No picture is judged by itself.

    A teacher of which nobody else owns a class, and which has nothing to predict on this pool, is
    left out (:mod:`~mmcompose.labeling.compute.teacher_relevance`).

    Stands after a fusion. A picture that nobody looked at keeps its scores.

    Args:
        features: The config dict of what looks at them. Defaults to
            ``dict(type='mmcompose.PictureFeatures')``.
    """

    revision = 10
    rounds = 1

    def __init__(self, features: dict[str, Any] | None = None) -> None:
        self.features = features or {'type': 'mmcompose.PictureFeatures'}

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """See :meth:`LabelTransform.bind`."""
        super().bind(class_space, weights)
        self._known = _known(class_space)
        self._tabulate()

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """Set ``classes``; by teacher ``domains``, ``relevances``, and ``losses`` of scores."""
        super().load_learned(learned)
        self._tabulate()

    def _tabulate(self) -> None:
        self._appearance: Appearance | None = None
        if self.learned:
            domains, relevances = self.learned['domains'], self.learned['relevances']
            self._appearance = Appearance(
                _discriminant(self.learned['classes']),
                [_discriminant(domains[name]) for name in self.class_space.teachers],
                np.array([relevances[name] for name in self.class_space.teachers]),
            )
            self._alive = alive_classes(self._appearance.relevances, self.class_space.owners)

    def describe_learned(self) -> list[str]:
        """See :meth:`LabelTransform.describe_learned`."""
        return describe_losses(self.learned.get('losses', {}), self.learned.get('relevances', {}))

    def collect(self, stream: LabelStream) -> State:
        """See :meth:`LabelTransform.collect`."""
        return collect_appearance(stream, self.class_space)

    def merge(self, states: Sequence[State]) -> State:
        """See :meth:`LabelTransform.merge`."""
        return merge_appearance(states)

    def learn(self, state: State) -> None:
        """See :meth:`LabelTransform.learn`."""
        if not splits(state):
            return
        appearance, judged = learn_appearance(Sample(state, self._known, self.class_space.owners))
        teachers = self.class_space.teachers
        relevances = appearance.relevances.round(4).tolist()
        self.load_learned(
            {
                'classes': _plain(appearance.classes),
                'domains': {
                    name: _plain(domain)
                    for name, domain in zip(teachers, appearance.domains, strict=True)
                },
                'relevances': dict(zip(teachers, relevances, strict=True)),
                'losses': losses_of(judged, self.class_space),
            }
        )

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        if self._appearance is None or image.cells is None or not len(image.cells):
            return detections
        fold, of_picture = fold_of(image.key), picture_features(image.cells)[None]
        domains = [each.of_fold(fold, of_picture) for each in self._appearance.domains]
        trust = np.array([picture_trust(each)[0] for each in domains])
        return {
            name: self._checked(found, votes_of(name, found, self.class_space), trust, image)
            for name, found in detections.items()
        }

    def _checked(
        self,
        found: Detections,
        votes: NDArray[np.bool_],
        trust: NDArray[np.float64],
        image: ImageContext,
    ) -> Detections:
        assert self._appearance is not None and image.cells is not None
        if not len(found):
            return found
        classes, relevances = self._appearance.classes, self._appearance.relevances
        labels, owners = found.labels, self.class_space.owners
        features = box_features(image.cells, found.boxes)
        likelihoods = classes.of_fold(fold_of(image.key), features)
        own = own_class_chance(likelihoods, labels, votes, self._known, classes.sizes)
        share = known_share(votes, self._known, self._alive)
        scores = found.scores * box_relevance(relevances, votes, labels, owners)
        scores *= class_factor(own, labels, share, classes.sizes)
        scores *= box_trust(np.broadcast_to(trust, votes.shape), votes, share)
        return replace(found, scores=scores.astype(np.float32)).sorted()


def _known(space: ClassSpace) -> NDArray[np.bool_]:
    """Return ``(T, C)``: which classes each teacher was trained on, dropped ones too."""
    known = space.owners.T.copy()
    for row, name in enumerate(space.teachers):
        labels = space.index(space.teacher_classes[name])
        known[row, labels[labels >= 0]] = True
    return known


def _plain(fitted: Discriminant) -> dict[str, Any]:
    # Half precision and base64: as lists of numbers they would take six times the room. Weights of
    # what next to nothing differs in are larger than it holds.
    largest = float(np.finfo(np.float16).max)
    weights = fitted.weights.clip(-largest, largest).astype(np.float16)
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
