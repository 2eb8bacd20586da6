"""LabelAgreementHook: a label counts as far as the average of the student's weights finds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes, bbox_overlaps, get_box_tensor
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmcompose.engine.unwrapped import unwrapped
from mmcompose.registry import HOOKS, type_name
from mmcompose.utils import Count, Fraction, UserError, fault

# How fast the usual score of a found label follows the student: first it is the mean of 50.
_MOMENTUM = 0.02
# Where the usual scores stand in MMEngine's message hub, which checkpoints carry.
STATE = 'usual_scores_of_labels'


@HOOKS.register_module()
class LabelAgreementHook(Hook):
    """Weigh labels online, so that the student forgets mistakes that it has not learned yet.

    A network learns what labels have in common before it learns their mistakes (Liu et al. 2020,
    "Early-Learning Regularization"). So the average of the student's weights, which EMAHook keeps,
    looks at each batch: a box that it does not find counts less, and a place where it is as sure
    of an object as it is of most labels is no background. Needs UncertainLabelsHook, which
    ``resolve`` adds, and a head that it reaches.

    Args:
        begin: The first iteration in which it weighs: before, the student has learned little.
        lowest: The factor of a box that is not found at all. Defaults to 0.3.
        iou_thr: From where on a prediction of the same class finds a box. Defaults to 0.5.
    """

    def __init__(self, begin: Count, lowest: Fraction = 0.3, iou_thr: Fraction = 0.5) -> None:
        self.begin = begin
        self.lowest = lowest
        self.iou_thr = iou_thr
        # By class, and of how many found labels.
        self._usual: dict[int, tuple[float, int]] = {}

    def check(self, config: Config) -> None:
        """See :class:`mmcompose.checks.checks_config.ChecksConfig`.

        Raises:
            UserError: If no average of the weights is kept.
        """
        if not any(type_name(each) == 'EMAHook' for each in config.get('custom_hooks') or ()):
            raise UserError(fault('type', 'LabelAgreementHook needs an EMAHook in custom_hooks'))

    def before_train(self, runner: Runner) -> None:
        """Find the average of the weights, and the usual scores that a run resumes with."""
        ema = next(hook for hook in runner.hooks if isinstance(hook, EMAHook))
        self._average = unwrapped(ema.ema_model)
        self._usual = runner.message_hub.get_info(STATE, self._usual)
        # The very dict, so that every checkpoint has it as it is then.
        runner.message_hub.update_info(STATE, self._usual)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None
    ) -> None:
        """Weigh the labels of a batch, and leave what they may miss out of the loss."""
        if runner.iter < self.begin:
            return
        assert data_batch is not None
        samples = data_batch['data_samples']
        for sample, found in zip(samples, self._found(data_batch['inputs'], samples), strict=True):
            self._weigh(sample, found)

    @torch.no_grad()
    def _found(self, pictures: Any, samples: Sequence[DetDataSample]) -> list[InstanceData]:
        """Return what the average of the weights finds, in pixels of the augmented pictures."""
        self._average.eval()
        bare = [DetDataSample(metainfo=sample.metainfo) for sample in samples]
        batch = {'inputs': pictures, 'data_samples': bare}
        data = self._average.data_preprocessor(batch)
        predicted = self._average.predict(data['inputs'], data['data_samples'], rescale=False)
        return [each.pred_instances.cpu() for each in predicted]

    def _weigh(self, sample: DetDataSample, found: InstanceData) -> None:
        boxes = sample.gt_instances
        overlaps = bbox_overlaps(get_box_tensor(boxes.bboxes), found.bboxes) >= self.iou_thr
        same = overlaps & (boxes.labels[:, None] == found.labels)
        # Of no prediction, too.
        scores = nn.functional.pad(same * found.scores, (1, 0))
        factors = self._factors(boxes.labels, scores.amax(dim=1))
        missed = found[~overlaps.any(dim=0) & (found.scores >= self._usual_of(found.labels))]
        self._change(sample, factors, missed)

    def _change(self, sample: DetDataSample, factors: Tensor, missed: InstanceData) -> None:
        """Weigh the boxes, and ignore what is found where no label is.

        Args:
            sample: The labels.
            factors: Of each box, ``(G,)``.
            missed: What is found as surely as most labels of its class are.
        """
        boxes = sample.gt_instances
        weights = factors * boxes.get('weights', torch.ones(len(factors)))
        if 'weights' in boxes or (weights != 1).any():
            boxes.weights = weights
        if len(missed):
            ignored = get_box_tensor(sample.ignored_instances.bboxes)
            sample.ignored_instances = InstanceData(
                bboxes=HorizontalBoxes(torch.cat([ignored, missed.bboxes]))
            )

    def _factors(self, labels: Tensor, support: Tensor) -> Tensor:
        """Return a factor for each box, ``(G,)``, by how sure its prediction is for its class."""
        factors = torch.ones(len(labels))
        for row, (label, score) in enumerate(zip(labels.tolist(), support.tolist(), strict=True)):
            usual, count = self._usual.get(label, (score, 0))
            if score > 0:
                step = max(_MOMENTUM, 1 / (count + 1))
                self._usual[label] = usual + step * (score - usual), count + 1
            if usual > 0:
                factors[row] = self.lowest + (1 - self.lowest) * min(1.0, score / usual)
        return factors

    def _usual_of(self, labels: Tensor) -> Tensor:
        """Return the usual score of each label, ``(N,)``; infinite where none was found yet."""
        none = float('inf'), 0
        return torch.tensor([self._usual.get(label, none)[0] for label in labels.tolist()])
