"""Uncertain labels cost a GPU no wait: nothing that their mechanism does reads a value back.

A GPU runs behind the process that feeds it, until that needs a number: then the process waits for
all that was queued, and the GPU for the process. Which calls do so is the same on a CPU; not seen
here are copies to the device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from mmengine.logging import MessageHub
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mmcompose.models.weighted_targets import Settings, attach
from tests.models.weighted_targets import students, zoo

aten = torch.ops.aten
# They return or need a number, or a tensor whose size depends on one.
WAITING = {
    aten._local_scalar_dense.default, aten.is_nonzero.default, aten.nonzero.default,
    aten.masked_select.default, aten._unique2.default, aten.unique_dim.default,
    aten.equal.default, aten.bincount.default, aten.repeat_interleave.Tensor,
}  # fmt: skip
UNCERTAIN: dict[str, Any] = {
    'weights': [[1.0, 0.4], [0.7, 1.0]],
    'scores': [[0.9, 0.6], [0.8, 0.7]],
    'ignored': (((40.0, 2.0, 60.0, 20.0),), ((1.0, 1.0, 30.0, 20.0),)),
    'covered': ((0, 1), None),
}
# MMDet's own functions are asked once a box, and wait.
BOX_BY_BOX = {'FreeAnchor', 'AutoAssign', 'CenterNet', 'CenterNet update'}
OF_ZOO = [name for name in zoo.ALL if name not in BOX_BY_BOX]
NAMES = [*students.CONFIGS, 'Cascade R-CNN', 'GFL', *OF_ZOO]
# With a mask they look for its places first.
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}


class Waits(TorchDispatchMode):
    """Counts the calls that wait for a device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if func in WAITING or (func in INDEXING and _by_mask(args[1])):
            self.found[str(func)] += 1
        return func(*args, **(kwargs or {}))


def _by_mask(indices: Sequence[Tensor | None]) -> bool:
    return any(each is not None and each.dtype in (torch.bool, torch.uint8) for each in indices)


def _waits(name: str, settings: Settings | None) -> Counter[str]:
    """Return the waits of a training step on uncertain labels; of MMDet's own without settings."""
    # TOOD asks which epoch it is, BoxInst which iteration.
    MessageHub.get_current_instance().update_info('epoch', 9)
    MessageHub.get_current_instance().update_info('iter', 10_000)
    known = {**students.CONFIGS, **students.OTHERS}
    model = students.student(name) if name in known else zoo.model_of(name)
    samples = students.samples if name in known else zoo.samples
    if settings is not None:
        attach(model, settings)
    torch.manual_seed(0)
    images = torch.rand(2, 3, students.SIZE, students.SIZE) * 255
    labels = samples(**UNCERTAIN)
    data = model.data_preprocessor({'inputs': images, 'data_samples': labels}, True)
    with Waits() as waits:
        total, _ = model.parse_losses(model.loss(data['inputs'], data['data_samples']))
        total.backward()
    return waits.found


@pytest.mark.parametrize('name', NAMES)
def test_uncertain_labels_wait_for_nothing_that_mmdets_own_loss_does_not(name: str) -> None:
    plain = _waits(name, None)
    assert plain, 'MMDet waits here and there'
    assert not _waits(name, Settings()) - plain


@pytest.mark.parametrize('name', ['RTMDet', 'YOLOX', 'GFL', 'VFNet', 'TOOD'])
def test_soft_targets_of_qualities_wait_for_nothing_either(name: str) -> None:
    assert not _waits(name, Settings(soft_targets=True)) - _waits(name, None)


@pytest.mark.parametrize(('name', 'losses'), [('Faster R-CNN', 1), ('Cascade R-CNN', 2)])
def test_soft_targets_of_hard_labels_wait_once_a_loss(name: str, losses: int) -> None:
    more = _waits(name, Settings(soft_targets=True)) - _waits(name, None)
    assert more == {'aten.nonzero.default': losses}
