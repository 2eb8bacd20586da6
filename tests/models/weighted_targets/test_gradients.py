"""Weights, ignore boxes and class masks reach the losses of five kinds of target assignment."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import torch
from mmdet.models.losses import FocalLoss
from mmdet.structures.mask import BitmapMasks
from torch import Tensor, nn

from mmcompose.models.weighted_targets import Settings, attach, is_uncertain
from mmcompose.models.weighted_targets.soft_targets import assigners_of
from tests.models.weighted_targets.students import (
    CLASSES,
    CONFIGS,
    LABELS,
    ONE_STAGE,
    SIZE,
    Seen,
    look,
    samples,
    student,
)

# In no prior: the way through is taken, with factors that are all 1.
NOWHERE = (((-9.0, -9.0, -8.0, -8.0),), ())
ONES = [[1.0, 1.0], [1.0, 1.0]]
SECOND_OUT = [[1.0, 0.0], [1.0, 0.0]]


def _look(name: str, settings: Settings | None = None, **labels: object) -> Seen:
    model = student(name)
    attached = attach(model, settings)
    assert not attached.unreached
    return look(model, samples(**labels))  # type: ignore[arg-type]


@pytest.fixture(params=CONFIGS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _plain(name: str) -> Seen:
    if name not in _PLAIN:
        _PLAIN[name] = look(student(name), samples())
    return _PLAIN[name]


_PLAIN: dict[str, Seen] = {}


def _heads(seen: Seen) -> Iterator[tuple[str, str, Tensor, Tensor, Tensor]]:
    """Yield head, output, its values, its gradients, and ``(rows,)`` the box of each row."""
    for head, gradients in seen.gradients.items():
        assigned = torch.cat(seen.assigned['rois' if head == 'roi_head' else head])
        for name, gradient in gradients.items():
            flat = gradient.reshape(-1, gradient.shape[-1])
            values = seen.outputs[head][name]
            assert len(flat) == len(assigned)
            yield head, name, values.reshape(flat.shape), flat, assigned


def _same(one: Seen, other: Seen) -> None:
    assert one.losses.keys() == other.losses.keys() and one.parameters.keys()
    for key, value in one.losses.items():
        for a, b in zip(*(v if isinstance(v, list) else [v] for v in (value, other.losses[key])),
                        strict=True):  # fmt: skip
            assert torch.equal(a, b), key
    for key, gradient in one.parameters.items():
        # A sum over places, in an order that memory and the processor decide: the last digit.
        expected = other.parameters[key]
        most = 1e-6 * float(expected.abs().max())
        torch.testing.assert_close(gradient, expected, rtol=0, atol=most, msg=key)


@pytest.mark.parametrize('soft', [False, True])
def test_weight_one_is_mmdets_own_loss_to_the_bit(name: str, soft: bool) -> None:
    plain, settings = _plain(name), Settings(soft_targets=soft)
    _same(_look(name, settings, weights=ONES, scores=ONES), plain)
    _same(_look(name, settings, weights=ONES, scores=ONES, ignored=NOWHERE), plain)


@pytest.mark.parametrize('weight', [0.0, 0.3, 2.0])
def test_a_weight_scales_all_that_a_box_teaches_and_nothing_else(name: str, weight: float) -> None:
    plain = _plain(name)
    seen = _look(name, weights=[[1.0, weight], [1.0, weight]])
    taught = set()
    for (head, output, _, gradient, box), (*_, before, as_before) in zip(
        _heads(seen), _heads(plain), strict=True
    ):
        assert torch.equal(box, as_before)
        assert (box == 1).any() and (box == 2).any(), f'{head} has priors of both boxes'
        torch.testing.assert_close(gradient[box == 2], before[box == 2] * weight)
        if weight == 0:
            assert (gradient[box == 2] == 0).all()
        if (before[box == 2] != 0).any():
            taught.add(head)
        assert torch.equal(gradient[box != 2], before[box != 2])
    assert taught == set(plain.gradients)


def test_a_box_of_weight_zero_is_no_background_either(name: str) -> None:
    """Where it would have been assigned; without the box those priors would be background."""
    without = samples()
    for sample in without:
        sample.gt_instances = sample.gt_instances[:1]
    background = look(student(name), without)
    seen = _look(name, weights=SECOND_OUT)
    pairs = [
        (one, other)
        for one, other in zip(_heads(seen), _heads(background), strict=True)
        # In the RoI head other proposals are drawn.
        if one[0] != 'roi_head' and one[1] in ('cls', 'obj')
    ]
    # YOLOX's class scores learn of no background.
    dense = [pair for pair in pairs if (name, pair[0][1]) != ('YOLOX', 'cls')]
    for (_, _, _, gradient, box), (_, _, _, punished, _) in dense:
        assert (punished[box == 2] != 0).any()
        assert (gradient[box == 2] == 0).all()


# Over the first image's first box and beyond it, and over nothing of the second image's.
BAND = (((0.0, 0.0, 33.0, 50.0),), ((1.0, 1.0, 30.0, 20.0),))


def _in_band(model: nn.Module) -> Tensor:
    """Return ``(B * P,)``: whether the centre of a prior is in BAND."""
    head = getattr(model, 'bbox_head', None) or model.rpn_head
    sizes = [(8, 8), (4, 4), (2, 2)]
    priors = head.prior_generator.grid_priors(sizes, device='cpu')
    if priors[0].shape[1] == 4:
        centres = [(level[:, :2] + level[:, 2:]) / 2 for level in priors]
    else:
        strides = [stride[0] for stride in head.prior_generator.strides]
        centres = [level + s / 2 for level, s in zip(priors, strides, strict=True)]
    points = torch.cat(centres)
    inside = []
    for ((x1, y1, x2, y2),) in BAND:
        x, y = points.T
        inside.append((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2))
    return torch.cat(inside)


def test_an_ignore_box_is_no_background_and_erases_no_kept_box(name: str) -> None:
    plain, seen = _plain(name), _look(name, ignored=BAND)
    inside = _in_band(student(name))
    for (head, output, _, gradient, box), (*_, before, as_before) in zip(
        _heads(seen), _heads(plain), strict=True
    ):
        if head == 'roi_head':
            continue
        assert torch.equal(box > 0, as_before > 0)
        left_out = inside & (box <= 0)
        assert left_out.any() and (inside & (box > 0)).any()
        assert (gradient[left_out] == 0).all()
        if output in ('cls', 'obj') and (name, output) != ('YOLOX', 'cls'):
            assert (before[left_out] != 0).any()
        if name != 'Faster R-CNN':
            # Positives keep their loss, and what lies elsewhere too.
            assert torch.equal(gradient[box > 0], before[box > 0])
            assert (gradient[box > 0] != 0).any()
            assert (
                gradient[~inside & (box == 0)].count_nonzero() > 0
                or not before.any()
                or ((name, output) == ('YOLOX', 'cls') or output in ('box', 'centerness'))
            )


@pytest.mark.parametrize('name', ['RetinaNet', 'ATSS', 'Faster R-CNN'])
def test_mmdets_own_ignoring_erases_no_kept_box_either(name: str) -> None:
    def look_with_thr(attached: bool) -> tuple[Seen, Tensor]:
        model = student(name)
        for module in list(model.modules()):
            for assigner in assigners_of(module):
                assigner.ignore_iof_thr = 0.5
        if attached:
            attach(model)
        seen = look(model, samples(ignored=BAND))
        return seen, torch.cat(next(iter(seen.assigned.values())))

    (_, erased), (seen, kept) = look_with_thr(attached=False), look_with_thr(attached=True)
    assert ((kept > 0) & (erased < 0)).any()
    _same(seen, _look(name, ignored=BAND))


def test_no_proposal_in_an_ignore_box_is_sampled() -> None:
    seen = _look('Faster R-CNN', ignored=BAND)
    plain = _plain('Faster R-CNN')
    drawn = [(result.gt_inds == 0).sum() for result in seen.results['roi_head']]
    before = [(result.gt_inds == 0).sum() for result in plain.results['roi_head']]
    assert all(one < other for one, other in zip(drawn, before, strict=True))
    positives = [(result.gt_inds > 0).sum() for result in seen.results['roi_head']]
    assert positives == [(result.gt_inds > 0).sum() for result in plain.results['roi_head']]


COVERED = ((0,), None)


@pytest.mark.parametrize('objectness', [0.0, 0.5])
def test_a_class_that_is_not_covered_is_not_learned_but_from_its_boxes(
    name: str, objectness: float
) -> None:
    plain = _plain(name)
    settings = Settings(uncovered_objectness=objectness)
    seen = _look(name, settings, covered=COVERED)
    for (head, output, _, gradient, box), (*_, before, as_before) in zip(
        _heads(seen), _heads(plain), strict=True
    ):
        assert torch.equal(box, as_before)
        if head == 'roi_head':
            first = torch.arange(len(box)) < len(seen.assigned['rois'][0])
        else:
            first = torch.arange(len(box)) < len(box) // 2
        by_class = output == 'cls' and head == 'bbox_head'
        same = ~first if by_class else ~first | (box > 0)
        assert torch.equal(gradient[same], before[same])
        nothing = first & (box == 0)
        shared = output == 'obj' or head == 'roi_head'
        if by_class:
            has_box = first & (box > 0)
            # Its own class is, and what is covered.
            taught = nn.functional.one_hot(_label_of(seen, head)[has_box], CLASSES).bool()
            taught[:, 0] = True
            assert torch.equal(gradient[has_box][taught], before[has_box][taught])
            assert (gradient[has_box][~taught] == 0).all()
            assert (before[has_box][~taught] != 0).any()
        if shared:
            torch.testing.assert_close(gradient[nothing], before[nothing] * objectness)
            assert output == 'box' or (before[nothing] != 0).any()
        elif output == 'cls':
            assert (gradient[nothing][:, 1:] == 0).all()
            assert torch.equal(gradient[nothing][:, 0], before[nothing][:, 0])


SCORES = [[0.6, 1.0], [0.25, 0.9]]


def _score_of(seen: Seen, head: str) -> Tensor:
    """Return ``(rows,)``: the score of each row's box, 1 where it has none."""
    parts = []
    for image, assigned in enumerate(seen.assigned[head]):
        values = torch.ones(len(assigned))
        has = assigned > 0
        values[has] = torch.tensor(SCORES[image])[assigned[has] - 1]
        parts.append(values)
    return torch.cat(parts)


def _label_of(seen: Seen, head: str) -> Tensor:
    parts = []
    for image, assigned in enumerate(seen.assigned[head]):
        labels = torch.full((len(assigned),), CLASSES)
        has = assigned > 0
        labels[has] = torch.tensor(LABELS[image])[assigned[has] - 1]
        parts.append(labels)
    return torch.cat(parts)


@pytest.mark.parametrize('name', ['RetinaNet', 'ATSS'])
def test_a_focal_loss_mixes_class_and_background_by_the_score(name: str) -> None:
    seen = _look(name, Settings(soft_targets=True), scores=SCORES)
    scores, labels = _score_of(seen, 'bbox_head'), _label_of(seen, 'bbox_head')
    logits = seen.outputs['bbox_head']['cls'].reshape(-1, CLASSES).requires_grad_()
    normaliser = int((labels < CLASSES).sum())
    taken = torch.cat([each >= 0 for each in seen.assigned['bbox_head']]).float()
    loss, background = FocalLoss(), torch.full_like(labels, CLASSES)
    total = loss(logits, labels, scores * taken, avg_factor=normaliser)
    total = total + loss(logits, background, (1 - scores) * taken, avg_factor=normaliser)
    (expected,) = torch.autograd.grad(total, logits)
    got = seen.gradients['bbox_head']['cls'].reshape(-1, CLASSES)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(sum(seen.losses['loss_cls']), total)
    # It is no mere weight: the hard targets' gradient points elsewhere.
    hard = _plain(name).gradients['bbox_head']['cls'].reshape(-1, CLASSES)
    assert not torch.allclose(got, hard, rtol=1e-3)


def test_a_softmax_learns_the_soft_distribution() -> None:
    seen = _look('Faster R-CNN', Settings(soft_targets=True), scores=SCORES)
    scores, labels = _score_of(seen, 'rois'), _label_of(seen, 'rois')
    target = torch.zeros(len(labels), CLASSES + 1)
    target[torch.arange(len(labels)), labels] = scores
    target[:, CLASSES] += 1 - scores
    expected = (seen.outputs['roi_head']['cls'].softmax(-1) - target) / len(labels)
    torch.testing.assert_close(seen.gradients['roi_head']['cls'], expected, rtol=1e-4, atol=1e-7)


def test_yolox_multiplies_its_targets_by_the_score() -> None:
    seen, plain = (
        _look('YOLOX', Settings(soft_targets=True), scores=SCORES), _plain('YOLOX')
    )  # fmt: skip
    scores, labels = _score_of(seen, 'bbox_head'), _label_of(seen, 'bbox_head')
    positive = labels < CLASSES
    quality = torch.cat([result.max_overlaps for result in plain.results['bbox_head']])
    target = nn.functional.one_hot(labels[positive], CLASSES) * (scores * quality)[positive, None]
    logits = seen.outputs['bbox_head']['cls'].reshape(-1, CLASSES)[positive]
    expected = (logits.sigmoid() - target) / positive.sum()
    got = seen.gradients['bbox_head']['cls'].reshape(-1, CLASSES)[positive]
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-7)


def test_yolox_learns_objectness_and_place_as_far_as_the_score_goes() -> None:
    seen, plain = (
        _look('YOLOX', Settings(soft_targets=True), scores=SCORES), _plain('YOLOX')
    )  # fmt: skip
    scores, labels = _score_of(seen, 'bbox_head'), _label_of(seen, 'bbox_head')
    positive = labels < CLASSES
    assert (scores[positive] < 1).any()
    logits = seen.outputs['bbox_head']['obj'].reshape(-1)
    expected = (logits.sigmoid() - positive * scores) / positive.sum()
    got = seen.gradients['bbox_head']['obj'].reshape(-1)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-7)
    hard = plain.gradients['bbox_head']['box'].reshape(-1, 4)
    got = seen.gradients['bbox_head']['box'].reshape(-1, 4)
    torch.testing.assert_close(got, hard * scores[:, None], rtol=1e-4, atol=1e-7)


def test_rtmdet_multiplies_its_targets_by_the_score() -> None:
    seen, plain = (
        _look('RTMDet', Settings(soft_targets=True), scores=SCORES), _plain('RTMDet')
    )  # fmt: skip
    scores = _score_of(seen, 'bbox_head').reshape(2, -1)
    start = 0
    for soft, hard in zip(seen.targets['bbox_head'], plain.targets['bbox_head'], strict=True):
        (labels, quality), (hard_labels, hard_quality) = soft[1], hard[1]
        size = len(labels) // 2
        of_level = scores[:, start : start + size].reshape(-1)
        torch.testing.assert_close(quality, hard_quality * of_level)
        assert torch.equal(labels, hard_labels)
        start += size
    assert start == scores.shape[1] and (scores < 1).any()


@pytest.mark.parametrize('name', ONE_STAGE)
def test_weights_and_soft_targets_go_together(name: str) -> None:
    settings = Settings(soft_targets=True)
    soft = _look(name, settings, scores=SCORES)
    both = _look(name, settings, scores=SCORES, weights=[[0.5, 1.0], [1.0, 1.0]])
    for (_, _, _, gradient, box), (*_, before, _) in zip(_heads(both), _heads(soft), strict=True):
        halved = (torch.arange(len(box)) < len(box) // 2) & (box == 1)
        torch.testing.assert_close(gradient[halved], before[halved] * 0.5)
        assert torch.equal(gradient[~halved], before[~halved])


def test_a_head_of_the_same_form_is_weighed_too() -> None:
    seen = [_look('GFL', weights=[[1.0, weight]] * 2, ignored=BAND) for weight in (1.0, 0.0)]
    inside = _in_band(student('GFL'))
    for (*_, before, as_before), (*_, gradient, box) in zip(*map(_heads, seen), strict=True):
        assert torch.equal(box, as_before)
        second = box == 2
        assert (gradient[second] == 0).all() and (before[second] != 0).any()
        assert torch.equal(gradient[~second], before[~second])
        left_out = inside & (box <= 0)
        assert left_out.any() and (gradient[left_out] == 0).all()


def test_a_head_that_does_not_tell_of_its_targets_is_an_error() -> None:
    model = student('GFL')
    attach(model)
    # As a head would that calls its parent's method.
    model.bbox_head._get_targets_single = partial(type(model.bbox_head)._get_targets_single,
                                                  model.bbox_head)  # fmt: skip
    with pytest.raises(RuntimeError, match='GFLHead assigned targets of 0 images out of 2'):
        look(model, samples(weights=SECOND_OUT))


def _raw_gradients(name: str, heads: str, weight: float) -> tuple[list[Tensor], list[Tensor]]:
    """Return each call's gradient of a RoI head's first output, and ``(R,)`` the RoIs' boxes."""
    model = student(name)
    attach(model)
    labels = samples(weights=[[1.0, weight], [1.0, weight]])
    for sample in labels:
        shape = (2, SIZE, SIZE)
        sample.gt_instances.masks = BitmapMasks(np.ones(shape, np.uint8), SIZE, SIZE)
    made: list[Tensor] = []

    def keep(module: nn.Module, args: object, output: Tensor | tuple[Tensor, ...]) -> None:
        first = output if isinstance(output, Tensor) else output[0]
        first.retain_grad()
        made.append(first)

    found = getattr(model.roi_head, heads)
    for head in found if isinstance(found, nn.ModuleList) else [found]:
        head.register_forward_hook(keep)
    seen = look(model, labels)
    return [each.grad for each in made], seen.assigned['rois']


def test_a_mask_has_its_boxes_weight() -> None:
    (gradient,), boxes = _raw_gradients('Mask R-CNN', 'mask_head', 0.0)
    (before,), _ = _raw_gradients('Mask R-CNN', 'mask_head', 1.0)
    positive = torch.cat([each[each > 0] for each in boxes])
    assert len(gradient) == len(positive)
    assert (gradient[positive == 2] == 0).all() and (before[positive == 2] != 0).any()
    assert torch.equal(gradient[positive == 1], before[positive == 1])


def test_each_stage_of_a_cascade_is_weighed() -> None:
    gradients, boxes = _raw_gradients('Cascade R-CNN', 'bbox_head', 0.0)
    before, _ = _raw_gradients('Cascade R-CNN', 'bbox_head', 1.0)
    assert len(gradients) == len(before) == 2
    # Images come one after the other in each stage.
    for stage in range(2):
        box = torch.cat(boxes[2 * stage : 2 * stage + 2])
        assert (box == 2).any()
        assert (gradients[stage][box == 2] == 0).all()
        assert (before[stage][box == 2] != 0).any()
        assert torch.equal(gradients[stage][box != 2], before[stage][box != 2])


def test_what_is_attached_goes_without_a_trace(name: str) -> None:
    model = student(name)
    modules = list(model.modules())
    before = [set(vars(module)) for module in modules]
    keys = list(model.state_dict())
    attached = attach(model, Settings(soft_targets=True))
    assert list(model.state_dict()) == keys
    assert [set(vars(module)) for module in modules] != before
    attached.remove()
    assert [set(vars(module)) for module in modules] == before
    _same(look(model, samples(weights=SECOND_OUT)), _plain(name))


def test_a_copy_of_an_attached_model_listens_to_itself(name: str) -> None:
    model = student(name)
    attach(model)
    copied = copy.deepcopy(model)
    for parameter in model.parameters():
        parameter.data.fill_(float('nan'))
    _same(look(copied, samples(weights=SECOND_OUT)), _look(name, weights=SECOND_OUT))


def test_plain_ground_truth_is_not_uncertain() -> None:
    (sample, _) = samples(scores=SCORES)
    plain = (sample.gt_instances, sample.ignored_instances, None)
    assert not is_uncertain(*plain, Settings())
    assert is_uncertain(*plain, Settings(soft_targets=True))
    assert is_uncertain(*plain[:2], (0,), Settings())
