"""Entries and pictures are matched one to one, by their paths."""

from __future__ import annotations

import pytest

from mmcompose.structures.name_matching import match_names, names_agree
from mmcompose.utils import UserError


@pytest.mark.parametrize(
    ('entries', 'keys', 'expected'),
    [
        (['1.jpg'], ['1.jpg'], {'1.jpg': '1.jpg'}),
        # The one is the other's end.
        (['train/1.jpg'], ['1.jpg'], {'1.jpg': 'train/1.jpg'}),
        (['1.jpg'], ['train/1.jpg'], {'train/1.jpg': '1.jpg'}),
        (
            ['/home/a/pool/train/1.jpg'],
            ['train/1.jpg'],
            {'train/1.jpg': '/home/a/pool/train/1.jpg'},
        ),
        ([r'C:\pool\train\1.jpg'], ['train/1.jpg'], {'train/1.jpg': r'C:\pool\train\1.jpg'}),
        (['./1.jpg', '../2.jpg'], ['1.jpg', '2.jpg'], {'1.jpg': './1.jpg', '2.jpg': '../2.jpg'}),
        # Another folder is another picture, whether or not its own is listed.
        (['train/1.jpg'], ['val/1.jpg'], {}),
        (['train/1.jpg'], ['train/1.jpg', 'val/1.jpg'], {'train/1.jpg': 'train/1.jpg'}),
        (['train/1.jpg', '1.jpg'], ['a/train/1.jpg'], {'a/train/1.jpg': 'train/1.jpg'}),
        # A letter and its accent, kept apart by macOS.
        (['e\u0301.jpg'], ['\u00e9.jpg'], {'\u00e9.jpg': 'e\u0301.jpg'}),
        (['1.jpeg'], ['1.jpg'], {}),
        ([], ['1.jpg'], {}),
    ],
)
def test_paths_are_the_same_or_one_is_the_end_of_the_other(
    entries: list[str], keys: list[str], expected: dict[str, str]
) -> None:
    matching = match_names(entries, keys)
    assert matching.entry_of == expected
    assert set(matching.without_entry) == set(keys) - set(expected)
    assert set(matching.without_picture) == set(entries) - set(expected.values())


def test_texts_are_named_as_pictures_but_for_the_suffix() -> None:
    matching = match_names(['train/1', 'a.b'], ['train/1.jpg', 'a.b.png', 'c.png'], by_stem=True)
    assert matching.entry_of == {'train/1.jpg': 'train/1', 'a.b.png': 'a.b'}


@pytest.mark.parametrize(
    ('entries', 'keys', 'message'),
    [
        (['a/1.jpg', 'b/1.jpg'], ['1.jpg'], r"'1\.jpg' may be 'a/1\.jpg' or 'b/1\.jpg'"),
        (
            ['1.jpg'],
            ['a/1.jpg', 'b/1.jpg'],
            r"'1\.jpg' may be 'a/1\.jpg' or 'b/1\.jpg' of the pool",
        ),
        (['a/1.jpg', r'a\1.jpg'], ['a/1.jpg'], 'are one name, listed twice'),
    ],
)
def test_what_may_be_of_two_is_refused(entries: list[str], keys: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        match_names(entries, keys)


def test_a_stem_of_two_pictures_is_refused() -> None:
    with pytest.raises(UserError, match=r"'1' may be '1\.jpg' or '1\.png' of the pool"):
        match_names(['1'], ['1.jpg', '1.png'], by_stem=True)


@pytest.mark.parametrize(
    ('first', 'second', 'expected'),
    [
        ('1.jpg', 'a/1.jpg', True),
        ('1.jpg', '1.png', True),
        ('1.jpg', '2.jpg', False),
        ('a/1.jpg', 'b/1.jpg', False),
        # What stands behind a dot may be no suffix.
        ('a.v1', 'b/a.v1.jpg', True),
        ('a.v1.png', 'a.v1.jpg', True),
        ('a.v1', 'a.v2.jpg', False),
        ('IMG_1_jpg.rf.0abc', 'IMG_1_jpg.rf.0abc.jpg', True),
    ],
)
def test_names_agree(first: str, second: str, expected: bool) -> None:
    assert names_agree(first, second) == names_agree(second, first) == expected
