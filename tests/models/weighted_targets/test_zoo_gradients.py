"""Weights, ignore boxes and class masks reach the losses of the other heads of MMDet's zoo.

Each by what the gradients of a whole model must show, whatever its loss is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import torch
from mmengine.logging import MessageHub
from torch import Tensor

from mmcompose.models.weighted_targets import Settings, attach
from tests.models.weighted_targets.zoo import (
    ALL,
    ONE_BACKGROUND,
    QUERIES,
    gradients,
    model_of,
    samples,
)

ONES = [[1.0, 1.0], [1.0, 1.0]]
NOTHING = [[0.0, 0.0], [0.0, 0.0]]
# In no prior: the way through is taken, with factors that are all 1.
NOWHERE = (((-90.0, -90.0, -89.0, -89.0),), ())
# A score lowers their targets, DDQ's those of its dense queries.
LEARN_QUALITIES = {'LD', 'VFNet', 'TOOD', 'DDQ'}
# Six stages of random weights move boxes far.
EVERYWHERE = (((-1e6, -1e6, 1e6, 1e6),),) * 2


@pytest.fixture(autouse=True)
def _epoch() -> None:
    # TOOD's own loss begins with the fifth epoch, BoxInst's of colors grows with iterations.
    MessageHub.get_current_instance().update_info('epoch', 9)
    MessageHub.get_current_instance().update_info('iter', 10_000)


@cache
def _plain(name: str) -> tuple[dict[str, Tensor], Any]:
    return gradients(model_of(name), samples())


def _look(
    name: str, settings: Settings | None = None, **labels: Any
) -> tuple[dict[str, Tensor], Any]:
    model = model_of(name)
    attached = attach(model, settings)
    assert not attached.unreached
    return gradients(model, samples(**labels))


def _largest(found: Mapping[str, Tensor]) -> float:
    return max(float(each.abs().max()) for each in found.values())


def _close(one: Mapping[str, Tensor], other: Mapping[str, Tensor], scale: float) -> None:
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=1e-3, atol=1e-5 * scale, msg=name)


@pytest.mark.parametrize('name', ALL)
def test_weight_one_is_mmdets_own_loss_to_the_bit(name: str) -> None:
    plain, losses = _plain(name)
    seen, logged = _look(name, weights=ONES, ignored=NOWHERE)
    assert losses == logged
    assert all(torch.equal(value, plain[key]) for key, value in seen.items())


@pytest.mark.parametrize('name', ALL)
def test_what_a_box_teaches_grows_with_its_weight(name: str) -> None:
    plain, losses = _plain(name)
    nothing, _ = _look(name, weights=[[1.0, 0.0], [1.0, 0.0]])
    some, logged = _look(name, weights=[[1.0, 0.3], [1.0, 0.3]])
    scale = _largest(plain)
    taught = {key: plain[key] - value for key, value in nothing.items()}
    assert _largest(taught) > 1e-3 * scale
    _close(some, {key: nothing[key] + 0.3 * value for key, value in taught.items()}, scale)
    # What is logged is MMDet's.
    assert logged == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize('name', ALL)
def test_boxes_without_weight_in_a_picture_that_is_ignored_teach_nothing(name: str) -> None:
    seen, _ = _look(name, weights=NOTHING, ignored=EVERYWHERE)
    assert _largest(seen) == 0
    assert _largest(_plain(name)[0]) > 0


@pytest.mark.parametrize('name', ALL)
def test_where_no_class_is_covered_only_boxes_teach(name: str) -> None:
    seen, _ = _look(name, weights=NOTHING, covered=((), ()))
    assert _largest(seen) == 0
    boxes, _ = _look(name, covered=((), ()))
    ignored, _ = _look(name, ignored=EVERYWHERE)
    assert _largest(boxes) > 0 and _largest(ignored) > 0


@pytest.mark.parametrize('name', ALL)
def test_a_class_that_is_not_covered_has_no_background(name: str) -> None:
    """Of classes 0 to 2, each labeled somewhere, 2 is not covered and 0 is."""
    seen, _ = _look(name, weights=NOTHING, covered=((0,), (0,)))
    if name in ONE_BACKGROUND:
        return
    # FreeAnchor has nine anchors at each place.
    anchors = 9 if name == 'FreeAnchor' else 1
    rows = [
        value.view(anchors, 3, -1).movedim(1, 0) for value in seen.values()
        if value.dim() and value.shape[0] == 3 * anchors and value.abs().max() > 0
    ]  # fmt: skip
    assert rows
    for each in rows:
        assert each[0].abs().max() > 0 and each[1:].abs().max() == 0


@pytest.mark.parametrize('name', ALL)
def test_a_score_is_a_target_between_class_and_background(name: str) -> None:
    settings = Settings(soft_targets=True)
    model = model_of(name)
    attached = attach(model, settings)
    assert not attached.not_soft
    plain, _ = _plain(name)
    found = {
        score: _look(name, settings, scores=[[score, score]] * 2)[0] for score in (0.0, 0.4, 1.0)
    }
    scale = _largest(plain)
    assert all(torch.equal(value, plain[key]) for key, value in found[1.0].items())
    assert _largest({key: plain[key] - value for key, value in found[0.4].items()}) > 1e-3 * scale
    if name not in LEARN_QUALITIES:
        # The loss of a mixed target is the mixed loss.
        mixed = {key: 0.4 * plain[key] + 0.6 * value for key, value in found[0.0].items()}
        _close(found[0.4], mixed, scale)


@pytest.mark.parametrize('name', [*QUERIES, 'AutoAssign', 'CenterNet update', 'TOOD'])
def test_what_is_attached_goes_without_a_trace(name: str) -> None:
    model = model_of(name)
    modules = list(model.modules())
    before = [set(vars(module)) for module in modules]
    attached = attach(model, Settings(soft_targets=True))
    assert [set(vars(module)) for module in modules] != before
    attached.remove()
    assert [set(vars(module)) for module in modules] == before


def test_tood_is_weighed_in_its_first_epochs_too() -> None:
    MessageHub.get_current_instance().update_info('epoch', 0)
    seen, _ = _look('TOOD', weights=NOTHING, ignored=EVERYWHERE)
    assert _largest(seen) == 0
    plain = gradients(model_of('TOOD'), samples())[0]
    soft, _ = _look('TOOD', Settings(soft_targets=True), scores=[[0.4, 0.4]] * 2)
    assert _largest({key: plain[key] - value for key, value in soft.items()}) > 0
