"""Tests of what gathers a user's mistakes."""

from __future__ import annotations

import pickle

import pytest

from mmcompose.utils import Mistakes, UserError, fault, key_prefix

ONE, TWO, THREE = (fault(name, 'is wrong') for name in ('one', 'two', 'three'))


def test_a_prefix_is_put_before_every_problem() -> None:
    with pytest.raises(UserError) as caught, key_prefix('a.b'):
        raise UserError(ONE, TWO)
    assert caught.value.lines == ('a.b.one: is wrong', 'a.b.two: is wrong')


def test_inner_prefixes_come_after_outer_ones() -> None:
    with pytest.raises(UserError) as caught, key_prefix('a', is_absolute=True), key_prefix('[1]'):
        raise UserError(ONE)
    assert caught.value.lines == ('a[1].one: is wrong',)


def test_an_error_survives_the_way_back_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(UserError(ONE, TWO)))
    assert str(error) == 'one: is wrong\ntwo: is wrong'


def test_a_line_is_no_problem() -> None:
    with pytest.raises(AssertionError):
        UserError('one: is wrong')  # type: ignore[arg-type]


def test_mistakes_are_told_all_at_once() -> None:
    mistakes = Mistakes()
    with mistakes:
        raise UserError(ONE)
    with mistakes:
        raise UserError(TWO, THREE)
    with pytest.raises(UserError) as caught:
        mistakes.raise_if_any()
    assert caught.value.problems == (ONE, TWO, THREE)


def test_mistakes_let_other_errors_through() -> None:
    with pytest.raises(ZeroDivisionError), Mistakes():
        raise ZeroDivisionError
