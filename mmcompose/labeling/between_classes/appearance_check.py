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
from mmcompose.labeling.compute.appearance import (
    box_features,
    fold_of,
    in_single_precision,
    picture_features,
)
from mmcompose.labeling.compute.appearance_losses import describe_losses, losses_of
from mmcompose.labeling.compute.appearance_rounds import (
    Looks,
    Sample,
    alive_classes,
    learn_looks,
    splits,
)
from mmcompose.labeling.compute.appearance_sample import (
    collect_appearance,
    merge_appearance,
    votes_of,
)
from mmcompose.labeling.compute.discriminant import Discriminant
from mmcompose.labeling.compute.naming import confusions, known_share, name_factor, own_name
from mmcompose.labeling.compute.picture_kinds import box_trust, picture_trust
from mmcompose.labeling.compute.state import State
from mmcompose.labeling.compute.teacher_worth import box_worth
from mmcompose.registry import LABEL_TRANSFORMS
from mmcompose.structures import Detections


@LABEL_TRANSFORMS.register_module()
class AppearanceCheck(LabelTransform):
    """Lower the score of a box that looks unlike others of its name.

    A teacher knows its own classes and its own kind of picture. Elsewhere its scores are no
    chances: who never saw a sheep calls it a dog, and is sure. What boxes look like, by the
    features of a network that was trained on other pictures, shows it without a label. Boxes of
    all teachers teach what each name looks like (:mod:`mmcompose.labeling.compute.naming`), sure
    ones more, and each box is compared with all names, of which its voters' own count less; and
    with background. Of boxes in one place whose names no teacher knows together, the likelier one
    teaches (:mod:`~mmcompose.labeling.compute.same_place`).

    By the same means it is learned what the pictures look like in which each teacher is sure
    (:mod:`~mmcompose.labeling.compute.picture_kinds`); in others its scores fall, as far as there
    are classes that it does not know. So the step changes most where teachers share nothing, and
    least where all know every class. Both are learned again of what the last round left of the
    scores (:mod:`~mmcompose.labeling.compute.appearance_rounds`). No picture is judged by itself.

    A teacher of which nobody else owns a class, and which has nothing to predict on this pool, is
    left out (:mod:`~mmcompose.labeling.compute.teacher_worth`).

    Stands after a fusion. Where nobody looked at the pictures, it changes nothing.

    Args:
        features: The config dict of what looks at them. Defaults to
            ``dict(type='mmcompose.PictureFeatures')``, which needs the extra ``efficientnet``.
    """

    revision = 3
    rounds = 1

    def __init__(self, features: dict[str, Any] | None = None) -> None:
        self.features = features or {'type': 'mmcompose.PictureFeatures'}

    def bind(self, class_space: ClassSpace, weights: NDArray[np.float64]) -> None:
        """See :meth:`LabelTransform.bind`."""
        super().bind(class_space, weights)
        self._known = _known(class_space)
        self._tabulate()

    def load_learned(self, learned: Mapping[str, Any]) -> None:
        """Set ``names``; by teacher ``kinds`` of pictures, ``worths``; and ``losses`` of scores."""
        super().load_learned(learned)
        self._tabulate()

    def _tabulate(self) -> None:
        self._looks: Looks | None = None
        if self.learned:
            kinds, worths = self.learned['kinds'], self.learned['worths']
            self._looks = Looks(
                _discriminant(self.learned['names']),
                [_discriminant(kinds[name]) for name in self.class_space.teachers],
                np.array([worths[name] for name in self.class_space.teachers]),
            )
            self._alive = alive_classes(self._looks.worths, self.class_space.owners)

    def describe_learned(self) -> list[str]:
        """See :meth:`LabelTransform.describe_learned`."""
        return describe_losses(self.learned.get('losses', {}), self.learned.get('worths', {}))

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
        looks, judged = learn_looks(Sample(state, self._known, self.class_space.owners))
        teachers = self.class_space.teachers
        self.load_learned(
            {
                'names': _plain(looks.names),
                'kinds': {
                    name: _plain(kind) for name, kind in zip(teachers, looks.kinds, strict=True)
                },
                'worths': dict(zip(teachers, looks.worths.round(4).tolist(), strict=True)),
                'losses': losses_of(judged, self.class_space),
            }
        )

    def apply(self, detections: ByTeacher, image: ImageContext) -> ByTeacher:
        """See :meth:`LabelTransform.apply`."""
        if self._looks is None or image.cells is None or not len(image.cells):
            return detections
        image = replace(image, cells=in_single_precision(image.cells))
        assert image.cells is not None
        fold, look = fold_of(image.key), picture_features(image.cells)[None]
        kinds = [each.of_fold(fold, look) for each in self._looks.kinds]
        trust = np.array([picture_trust(each)[0] for each in kinds])
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
        assert self._looks is not None and image.cells is not None
        if not len(found):
            return found
        names, worths = self._looks.names, self._looks.worths
        labels, owners = found.labels, self.class_space.owners
        look = box_features(image.cells, found.boxes)
        likelihoods = names.of_fold(fold_of(image.key), look)
        own = own_name(likelihoods, labels, confusions(votes, self._known), names.sizes)
        share = known_share(votes, self._known, self._alive)
        scores = found.scores * box_worth(worths, votes, labels, owners)
        scores *= name_factor(own, labels, share, names.sizes)
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
