"""Names learned in rounds: few boxes take nothing, one place has one name, useless teachers go."""

from __future__ import annotations

import numpy as np
import pytest

from mmcompose.labeling.compute import appearance_rounds
from mmcompose.labeling.compute.appearance_rounds import Sample, learn_appearance
from mmcompose.labeling.compute.discriminant import Axes, discriminant
from mmcompose.labeling.compute.half_precision import in_half, in_single
from mmcompose.labeling.compute.same_place import conflicting_pairs, share_of_place
from mmcompose.labeling.compute.sampling import rows_of_images
from mmcompose.labeling.compute.soft_labels import (
    confusions,
    known_share,
    own_class_chance,
    soft_labels,
)
from mmcompose.labeling.compute.state import State
from mmcompose.labeling.compute.teacher_relevance import box_relevance, teacher_relevances

PARTS = [slice(row, row + 20) for row in range(0, 100, 20)]


def looks(rng: np.random.Generator, middle: float, count: int = 100) -> np.ndarray:
    features = rng.normal(0, 1, (count, 6)).astype(np.float32)
    features[:, 0] += middle
    return features


def test_a_name_of_few_boxes_speaks_neither_for_nor_against() -> None:
    rng = np.random.default_rng(0)
    names = np.zeros((100, 3))
    names[:50, 0] = names[50:, 1] = 1
    names[3, 2] = 1
    order = rng.permutation(100)
    features = np.concatenate([looks(rng, 3, 50), looks(rng, -3, 50)])[order]
    fitted = discriminant(features, names[order], PARTS, few=5.0)
    known = np.abs(fitted.weights[..., :2]).sum(axis=1).min()
    assert np.abs(fitted.weights[..., 2]).sum(axis=1).max() < 0.6 * known
    assert fitted.sizes[2] <= 1
    right = fitted.of(PARTS, features)[:, :2].argmax(axis=1) == names[order][:, 1]
    assert right.mean() > 0.95


def test_a_name_of_few_boxes_takes_no_box_from_another() -> None:
    likelihoods = np.array([[0.0, 9.0, -1.0]])
    # Nobody of those who found it knows a class.
    voters = np.ones((1, 1), np.bool_), np.zeros((1, 2), np.bool_)
    many, few = np.array([50.0, 50.0, 900.0]), np.array([50.0, 3.0, 900.0])
    label = np.array([0])
    assert own_class_chance(likelihoods, label, *voters, many)[0] < 0.01
    assert own_class_chance(likelihoods, label, *voters, few)[0] > 0.8


def test_many_boxes_are_judged_as_each_of_them_alone() -> None:
    rng = np.random.default_rng(4)
    likelihoods = rng.normal(size=(5000, 4))
    labels = rng.integers(0, 3, 5000)
    votes = rng.random((5000, 2)) < 0.7
    known = np.array([[True, True, False], [False, True, True]])
    sizes = np.full(4, 50.0)
    every = own_class_chance(likelihoods, labels, votes, known, sizes)
    for row in (0, 4095, 4096, 4999):
        one = slice(row, row + 1)
        alone = own_class_chance(likelihoods[one], labels[one], votes[one], known, sizes)
        assert every[row] == pytest.approx(alone[0])


def test_what_the_voters_know_they_would_have_called_so() -> None:
    votes = np.array([[True, False]])
    known = np.array([[True, True, False], [False, False, True]])
    penalties = confusions(votes, known)
    assert penalties[0, 1] < penalties[0, 2] == 0
    alive = np.array([True, True, True])
    assert known_share(votes, known, alive)[0] == pytest.approx(2 / 3)
    alive[2] = False
    assert known_share(votes, known, alive)[0] == 1
    assert known_share(votes, known, np.zeros(3, np.bool_))[0] == 1


def test_main_directions_are_lifted_back() -> None:
    rng = np.random.default_rng(1)
    features = looks(rng, 2)
    names = np.stack([features[:, 0] > 2, features[:, 0] <= 2], axis=1)
    half = features.astype(np.float16)
    axes = Axes.of(half, np.ones(100), 6)
    projected = axes.project(half)
    fitted = discriminant(projected, names, PARTS, few=1.0)
    lifted = axes.lift(fitted).of(PARTS, half.astype(np.float32))
    np.testing.assert_allclose(lifted, fitted.of(PARTS, projected), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('rows', [3, 3000])
def test_main_directions_are_those_of_all_rows_however_many(rows: int) -> None:
    rng = np.random.default_rng(2)
    features = (rng.normal(size=(rows, 8)) * np.arange(1, 9) + 5).astype(np.float16)
    weights = rng.random(rows)
    axes = Axes.of(features, weights, 2)
    exact = features.astype(np.float64)
    mean = np.average(exact, axis=0, weights=weights)
    spread = np.cov(exact.T, aweights=weights, bias=True)
    np.testing.assert_allclose(axes.mean, mean, rtol=1e-4)
    kept = np.trace(axes.directions.T @ spread @ axes.directions)
    assert kept == pytest.approx(np.linalg.eigvalsh(spread)[-2:].sum(), rel=1e-3)
    np.testing.assert_allclose(
        axes.project(features), (exact - mean) @ axes.directions, rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize('shape', [(0, 4), (3, 4), (5,), (2, 3, 4)])
def test_numbers_of_16_bits_are_numpys(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    single = (rng.normal(size=shape) * 10.0 ** rng.integers(-9, 6, shape)).astype(np.float32)
    with np.errstate(over='ignore'):
        expected = single.astype(np.float16)
    half = in_half(single)
    np.testing.assert_array_equal(half, expected)
    assert half.dtype == np.float16 and in_single(half).dtype == np.float32
    np.testing.assert_array_equal(in_single(half), expected.astype(np.float32))
    # A part of an array is no block of memory.
    np.testing.assert_array_equal(in_half(single.T), expected.T)


def test_names_for_one_object_share_their_place() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60], [0, 0, 10, 10]], np.float32)
    labels = np.array([0, 1, 1, 1])
    strangers = np.array([[True, False], [False, True], [False, True], [False, True]])
    pairs = conflicting_pairs(boxes, labels, strangers, np.eye(2, dtype=np.bool_), [0, 3, 4])
    assert [rows.tolist() for rows in pairs] == [[0], [1]]
    share = share_of_place(np.array([0.6, 0.2, 0.5, 0.5]), pairs, power=1)
    assert share.tolist() == pytest.approx([0.75, 0.25, 1, 1])
    sharper = share_of_place(np.array([0.6, 0.2, 0.5, 0.5]), pairs, power=4)
    assert sharper[0] > 0.98


def test_who_knows_both_names_may_mean_both() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9]], np.float32)
    known = np.array([[True, True], [False, True]])
    votes = np.eye(2, dtype=np.bool_)
    first, _ = conflicting_pairs(boxes, np.array([0, 1]), votes, known, [0, 2])
    assert not len(first)


def detections(useful: bool) -> dict[str, np.ndarray]:
    """Return boxes of a useful teacher and of another, five in each of 200 pictures."""
    rng = np.random.default_rng(2)
    home = np.arange(200) % 2 == 0
    first = np.where(np.repeat(home, 5), rng.uniform(0.2, 1, 1000), rng.uniform(0, 0.3, 1000))
    second = rng.uniform(0, 0.5, 1000)
    if useful:
        second = np.where(np.repeat(home, 5), rng.uniform(0, 0.3, 1000), second)
    scores = np.concatenate([first, second])
    best = np.stack([each.reshape(200, 5).max(axis=1) for each in (first, second)], axis=1)
    at_home = np.stack([home, ~home if useful else rng.random(200) < 0.5], axis=1)
    return {
        'scores': scores,
        'votes': np.repeat(np.eye(2, dtype=np.bool_), 1000, axis=0),
        'margins': rng.normal(0, 1, 2000),
        'best': best,
        'trust': np.where(at_home, 0.9, 0.1),
        'pictures': np.zeros((200, 1), np.float32),
    }


def test_a_teacher_of_which_nothing_sets_the_surest_boxes_apart_is_worth_nothing() -> None:
    alone = np.array([[True, False], [False, True]])
    relevances = teacher_relevances(**detections(useful=False), owners=alone)
    assert relevances.tolist() == [1, 0]
    relevances = teacher_relevances(**detections(useful=True), owners=alone)
    assert relevances.tolist() == [1, 1]


def test_a_teacher_that_shares_a_class_is_judged_by_the_others() -> None:
    shared = np.array([[True, True], [False, True]])
    assert teacher_relevances(**detections(useful=False), owners=shared).tolist() == [1, 1]


def test_worth_counts_where_a_class_has_one_owner() -> None:
    owners = np.array([[True, True], [False, True]])
    votes = np.array([[False, True], [False, True]])
    relevance = box_relevance(np.array([1.0, 0.0]), votes, np.array([0, 1]), owners)
    assert relevance.tolist() == [1, 0]


# Each teacher has a class of its own: cats, sheep, and what is nowhere.
OWNERS = np.eye(3, dtype=np.bool_)


def state(boxes_of_nothing: int) -> State:
    """Return pictures of a cat or a sheep, each with boxes of a third teacher on nothing."""
    rng = np.random.default_rng(0)
    pictures, each = 200, 1 + boxes_of_nothing
    labels = np.full((pictures, each), 2)
    labels[:, 0] = np.arange(pictures) % 2
    labels = labels.ravel()
    features = rng.normal(0, 0.1, (len(labels), 8))
    features[np.arange(len(labels)), labels] += 1
    corners = np.tile([[0, 0, 9, 9]], (len(labels), 1)) + 20 * np.arange(len(labels))[:, None]
    return {
        'hashes': np.arange(pictures, dtype=np.uint64),
        'counts': np.full(pictures, each),
        'pictures': rng.normal(size=(pictures, 8)).astype(np.float16),
        'boxes': corners.astype(np.float32),
        'features': features.astype(np.float16),
        'scores': np.where(labels < 2, 0.9, 0.4).astype(np.float32),
        'labels': labels.astype(np.int32),
        'votes': OWNERS[labels],
    }


def test_where_a_picture_stands_in_the_pool_changes_nothing() -> None:
    pool = state(2)
    order = np.random.default_rng(1).permutation(len(pool['hashes']))
    rows = rows_of_images(pool['counts'], order)
    moved = {
        name: array[order if len(array) == len(order) else rows] for name, array in pool.items()
    }
    given, same = (learn_appearance(Sample(each, OWNERS, OWNERS))[0] for each in (pool, moved))
    np.testing.assert_array_equal(same.classes.weights, given.classes.weights)
    for one, other in zip(same.domains, given.domains, strict=True):
        np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(same.relevances, given.relevances)


def test_boxes_of_a_teacher_that_is_left_out_teach_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        appearance_rounds, 'teacher_relevances', lambda *_: np.array([1.0, 1.0, 0.0])
    )
    sizes = [
        learn_appearance(Sample(state(count), OWNERS, OWNERS))[0].classes.sizes for count in (0, 20)
    ]
    # Nor are they background, of which there would be twenty times as much.
    np.testing.assert_allclose(*sizes, rtol=0.05, atol=0.1)


def test_of_unsure_boxes_a_high_power_makes_nothing() -> None:
    chances, labels = np.array([0.9, 0.4]), np.zeros(2, np.int64)
    low, high = (soft_labels(chances, labels, 1, power)[:, 0] for power in (2.0, 8.0))
    assert low[1] / low[0] > 0.1 and high[1] / high[0] < 0.01
