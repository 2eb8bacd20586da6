"""Results change only with a new revision, by which stored labels are made anew."""

from __future__ import annotations

import copy
import json

import pytest

from tests.labeling.golden import FILE, changed_without_revision, result
from tests.labeling.test_every_transform import PIPELINES

GOLDEN = json.loads(FILE.read_text(encoding='utf-8'))


def test_every_pipeline_is_kept() -> None:
    assert list(GOLDEN) == list(PIPELINES)


@pytest.mark.parametrize('name', PIPELINES)
def test_results_change_only_with_a_revision(name: str) -> None:
    now = result(name)
    assert not changed_without_revision(now, GOLDEN[name]), 'count `revision` of the class up'
    assert now['revisions'] == GOLDEN[name]['revisions'], 'run python -m tests.labeling.golden'


def test_a_changed_result_is_seen() -> None:
    before = GOLDEN['WeightedBoxesFusion']
    now = copy.deepcopy(before)
    now['figures'][0][1] *= 1.001
    assert changed_without_revision(now, before)
    now['revisions'][0][0][1] += 1
    assert not changed_without_revision(now, before)
