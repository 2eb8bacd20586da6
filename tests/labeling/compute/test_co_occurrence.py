"""Suggestions from names that lie on the same objects."""

from __future__ import annotations

from mmcompose.labeling import CoOccurrence, co_occurrences
from tests.labeling.toys import Pool, found, scene

HERE, SAME, FAR = [0, 0, 50, 50], [1, 0, 50, 50], [100, 0, 150, 50]
PERSON, CAT, SOFA, DOG = range(4)


def found_in(pool: Pool, **options: int) -> list[CoOccurrence]:
    images = [(each, at.image) for each, at in pool]
    return co_occurrences(images, pool[0][1].class_space, **options)


def test_two_names_of_one_object_are_counted() -> None:
    image = {
        'a': found((HERE, 0.9, SOFA), (FAR, 0.9, PERSON)),
        'b': found((SAME, 0.8, CAT), (FAR, 0.9, PERSON)),
        # Too unsure to count.
        'c': found((HERE, 0.2, DOG)),
    }
    apart = {'a': found((HERE, 0.9, SOFA)), 'b': found((FAR, 0.8, CAT)), 'c': found()}
    pool = [(image, scene())] * 6 + [(apart, scene())] * 2
    assert found_in(pool) == [CoOccurrence('cat', 'sofa', 6, 0.75, ('a',))]
    assert found_in(pool, min_count=7) == []
    assert co_occurrences([], scene().class_space) == []


def test_a_class_and_a_finer_one_are_no_pair() -> None:
    teachers = {'fine': ['dog', 'sofa'], 'coarse': ['animal']}
    of = scene(teachers, hierarchy={'animal': ['dog']})
    image = {'fine': found((HERE, 0.9, 0), (FAR, 0.9, 1)), 'coarse': found((SAME, 0.9, 2))}
    assert found_in([(image, of)] * 6) == []
    other = {'fine': found((FAR, 0.9, 1)), 'coarse': found((FAR, 0.9, 2))}
    assert found_in([(other, of)] * 6) == [CoOccurrence('animal', 'sofa', 6, 1.0)]
