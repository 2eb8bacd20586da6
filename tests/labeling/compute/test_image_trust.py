"""ImageTrust: in which images a teacher fails, without a label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mmcompose.labeling import ByTeacher
from mmcompose.labeling.compute.image_trust import ImageTrust
from mmcompose.labeling.compute.pool_sample import collect_sample
from tests.labeling.toys import QUICK, Pool, found, permuted, scene, teacher_detections
from tests.labeling.worlds import ALIKE, World, world


def fit_trust(pool: Pool) -> ImageTrust | None:
    space = pool[0][1].class_space
    return ImageTrust.fit(collect_sample([(each, at.image) for each, at in pool], space), space)


def fitted(made: World) -> ImageTrust:
    trust = fit_trust(made.pool)
    assert trust is not None
    return trust


def trust_in(teacher: str, made: World) -> NDArray[np.float64]:
    trust = fitted(made)
    place = made.pool[0][1].class_space.teachers.index(teacher)
    return np.array([trust.of(each)[place] for each, _ in made.pool])


@pytest.mark.parametrize('spoiled', 'abc')
@pytest.mark.parametrize('silent', [False, True])
@pytest.mark.parametrize('failing', [0.2, 0.5])
def test_the_images_in_which_a_teacher_fails_are_found(
    spoiled: str, silent: bool, failing: float
) -> None:
    made = world(spoiled=spoiled, failing=failing, silent=silent, images=300)
    trust = fitted(made)
    shares = dict(zip(trust.teachers, trust.failing, strict=True))
    assert shares[spoiled] == pytest.approx(made.bad.mean(), abs=0.06)
    assert all(share < 0.02 for name, share in shares.items() if name != spoiled)
    trusted = trust_in(spoiled, made) > 0.5
    assert (trusted != made.bad).mean() > 0.95


@pytest.mark.parametrize('sees', [{}, {'b': 0.4}, {'a': 0.6, 'b': 0.6, 'c': 0.6}])
def test_where_nobody_fails_everyone_is_trusted(sees: dict[str, float]) -> None:
    made = world(sees=sees, images=300)
    assert fitted(made).failing.tolist() == [0, 0, 0]
    assert trust_in('b', made).min() == 1


def test_an_image_without_evidence_leaves_the_share_that_the_teacher_works() -> None:
    teachers = {'a': ['person', 'cat', 'sofa'], 'b': ['person', 'cat'], 'c': ['person', 'cat']}
    trust = fitted(world(teachers, spoiled='a', images=300))
    sofa = scene(teachers).class_space.classes.index('sofa')
    image = {'a': found(([10, 10, 60, 60], 0.9, sofa)), 'b': found(), 'c': found()}
    there = scene(teachers)
    place = there.class_space.teachers.index('a')
    assert trust.of(image)[place] == pytest.approx(1 - trust.failing[0], abs=1e-3)


def test_an_image_tells_of_classes_that_only_the_failing_teacher_knows() -> None:
    teachers = {'a': ['person', 'cat', 'sofa'], 'b': ['person', 'cat'], 'c': ['person', 'cat']}
    trust = fitted(world(teachers, spoiled='a', images=300))
    there = scene(teachers)
    person = found(([10, 10, 60, 60], 0.8, 0))
    image = {'a': person, 'b': person, 'c': person}
    place = there.class_space.teachers.index('a')
    assert trust.of(image)[place] > 0.95
    astray = {**image, 'a': found(([120, 30, 180, 90], 0.8, 0))}
    assert trust.of(astray)[place] < 0.1


def test_of_two_teachers_that_contradict_each_other_either_may_have_failed() -> None:
    made = world({name: ['person', 'cat'] for name in 'ab'}, spoiled='b', images=300)
    a, b = trust_in('a', made), trust_in('b', made)
    assert a[~made.bad].mean() > 0.98 and b[~made.bad].mean() > 0.98
    assert np.median(np.abs(a - b)[made.bad]) < 0.7


def test_teachers_that_share_nothing_are_trusted() -> None:
    made = world({'a': ['person'], 'b': ['cat']})
    assert fitted(made).failing.tolist() == [0, 0]
    space = made.pool[0][1].class_space
    assert ImageTrust.fit(collect_sample([], space), space) is None


def test_neither_the_order_of_teachers_nor_of_boxes_matters() -> None:
    made = world(spoiled='b', images=60)
    reordered = scene({name: ALIKE[name] for name in 'cab'}, classes=['person', 'cat'])
    turned = [
        ({name: permuted(image[name], 5) for name in reversed(image)}, reordered)
        for image, _ in made.pool
    ]
    one, other = fit_trust(made.pool), fit_trust(turned)
    assert one is not None and other is not None
    assert other.failing == pytest.approx(one.failing, abs=2e-4)
    for given_, again in zip(made.pool, turned, strict=True):
        by_name = dict(zip(given_[1].class_space.teachers, one.of(given_[0]), strict=True))
        assert other.of(again[0]) == pytest.approx([by_name[name] for name in 'cab'], abs=5e-3)


def test_what_was_learned_can_be_stored() -> None:
    made = world(spoiled='b')
    trust = fitted(made)
    again = ImageTrust(trust.learned, made.pool[0][1].class_space)
    for each, _ in made.pool:
        assert again.of(each).tolist() == trust.of(each).tolist()


@QUICK
@given(images=st.lists(teacher_detections(), max_size=4))
def test_trust_is_a_chance_whatever_is_said(images: list[ByTeacher]) -> None:
    trust = fit_trust([(image, scene()) for image in images]) if images else None
    for image in images:
        assert trust is not None
        assert ((trust.of(image) >= 0) & (trust.of(image) <= 1)).all()
