"""Boxes compared with what looks alike in other pictures."""

from __future__ import annotations

import numpy as np

from mmcompose.class_space import ClassSpace
from mmcompose.labeling import AppearanceCheck, ImageContext
from mmcompose.labeling.between_classes.appearance_check import _discriminant, _plain
from mmcompose.labeling.compute.appearance import box_features
from mmcompose.labeling.compute.appearance_losses import describe_losses, losses_of
from mmcompose.labeling.compute.appearance_rounds import Judged
from mmcompose.labeling.compute.discriminant import Discriminant
from mmcompose.structures import Detections

SIZE = 96
LOOKS = {'cat': 0, 'sheep': 1}


def cells(look: str, rng: np.random.Generator) -> Detections:
    """Return a picture of three by three cells, the one in the middle with a look of its own."""
    rows, columns = np.mgrid[:3, :3].reshape(2, -1)
    corners = np.stack([columns, rows, columns + 1, rows + 1], axis=1) * 32
    features = rng.normal(0, 0.1, (9, 8))
    features[:, 7] += 1
    features[4, LOOKS[look]] += 3
    count = len(corners)
    return Detections(
        corners.astype(np.float32),
        np.ones(count, np.float32),
        np.zeros(count, np.int64),
        features=features.astype(np.float16),
    )


def box(score: float, label: int, teacher: int) -> Detections:
    votes = np.eye(2, dtype=np.bool_)[[teacher]]
    found = Detections.from_arrays([[32, 32, 64, 64]], [score], [label])
    return Detections(found.boxes, found.scores, found.labels, votes=votes)


def world() -> list[tuple[dict[str, Detections], ImageContext]]:
    """Return pictures of cats and sheep: the cats' teacher is sure of some sheep, too."""
    rng = np.random.default_rng(0)
    images = []
    for number in range(200):
        look = 'cat' if number % 2 else 'sheep'
        found = [box(0.9, LOOKS[look], LOOKS[look])]
        if look == 'sheep' and number % 8 == 0:
            found = [box(0.8, 0, 0)]
        context = ImageContext(str(number), SIZE, SIZE, cells=cells(look, rng))
        images.append(({'fused': Detections.concatenate(found)}, context))
    return images


def bound(names: tuple[str, ...] = ('cat', 'sheep')) -> AppearanceCheck:
    step = AppearanceCheck()
    step.bind(ClassSpace({'a': names[:1], 'b': names[1:]}), np.ones(2))
    return step


def test_a_box_that_looks_like_another_name_falls() -> None:
    images, step = world(), bound()
    step.fit(images)
    after = [step.apply(*each)['fused'].scores[0] for each in images]
    before = [each['fused'].scores[0] for each, _ in images]
    wrong = np.array(before) < 0.85
    assert np.mean(np.array(after)[wrong]) < 0.2
    assert np.mean(np.array(after)[~wrong]) > 0.7
    assert list(step.learned['losses']) == ['a', 'b']


def test_what_was_learned_serves_after_it_was_stored() -> None:
    images, step, other = world(), bound(), bound()
    step.fit(images)
    other.load_learned(step.learned)
    for each in images[:20]:
        expected, made = (one.apply(*each)['fused'].scores for one in (step, other))
        np.testing.assert_array_equal(made, expected)


def test_parts_teach_what_the_whole_teaches() -> None:
    images, step, other = world(), bound(), bound()
    step.fit(images)
    other.learn(other.merge([other.collect(images[:70]), other.collect(images[70:])]))
    assert other.learned == step.learned


def test_without_a_look_nothing_changes() -> None:
    images = [(found, ImageContext(each.key, SIZE, SIZE)) for found, each in world()]
    step = bound()
    step.fit(images)
    assert not step.learned
    assert step.apply(*images[0]) == images[0][0]


def test_a_box_looks_like_the_cells_that_it_covers() -> None:
    picture = cells('cat', np.random.default_rng(1))
    assert picture.features is not None
    made = box_features(picture, np.array([[32, 32, 64, 64], [0, 0, 96, 96], [200, 0, 210, 9]]))
    middle = picture.features[4].astype(np.float32)
    np.testing.assert_allclose(made[0], middle / np.linalg.norm(middle), atol=1e-3)
    mean = picture.features.astype(np.float32).mean(axis=0)
    np.testing.assert_allclose(made[1], mean / np.linalg.norm(mean), atol=1e-3)
    assert not made[2].any()


def test_who_spoils_a_pool_is_told_where_somebody_does() -> None:
    some = {'class': 'cat', 'class_lost': 0.5, 'alike': 'sheep'}
    both = {'a': {'lost': 0.4, **some}, 'b': {'lost': 0.1, **some}}
    of_two = {'a': 1.0, 'b': 1.0}
    assert describe_losses(both, of_two)[0].startswith('a spoils this pool most')
    # Of the other there are too few boxes.
    assert describe_losses({'a': both['a']}, of_two)[0].startswith('a spoils this pool most')
    little = {name: {**each, 'lost': each['lost'] / 4} for name, each in both.items()}
    assert describe_losses(little, of_two) == []
    # Nobody to be worse than.
    assert describe_losses({'a': both['a']}, {'a': 1.0}) == []


def test_a_class_without_a_box_loses_nothing() -> None:
    rng = np.random.default_rng(0)
    count, labels = 40, np.ones(40, np.int64)
    scores, votes = np.full(count, 0.8), np.tile([False, True], (count, 1))
    judged = Judged(scores, scores, rng.normal(size=(count, 3)).astype(np.float32), labels, votes)
    losses = losses_of(judged, ClassSpace({'a': ['cat'], 'b': ['sheep']}))
    assert losses['b']['class'] == 'sheep' and losses['b']['class_lost'] == 0


def test_weights_beyond_half_precision_are_stored_as_the_largest() -> None:
    weights = np.array([[[1e6], [-1e6], [2.0]]], np.float32)
    plain = _plain(Discriminant(weights, np.zeros((1, 1), np.float32), np.ones(1)))
    assert _discriminant(plain).weights.ravel().tolist() == [65504, -65504, 2]


def test_a_picture_of_which_nobody_predicts_anything_teaches_what_it_looks_like() -> None:
    looking = ImageContext('0', SIZE, SIZE, cells=cells('cat', np.random.default_rng(0)))
    state = bound().collect([({}, looking)])
    assert state['counts'].tolist() == [0]
    assert state['votes'].shape == (0, 2)
