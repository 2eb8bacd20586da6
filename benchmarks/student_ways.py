"""Ways to learn that were tried for the protocol's student, and are no part of the package.

:mod:`student_recipes` screens them beside the recipes that are.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.structures import DetDataSample
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, pad

from mmcompose.engine.hooks.feature_distillation import FeatureDistillationHook
from mmcompose.engine.hooks.label_agreement import LabelAgreementHook
from mmcompose.engine.unwrapped import unwrapped
from mmcompose.registry import HOOKS
from mmcompose.teachers.mmdet.teacher import MMDetTeacher
from mmcompose.utils import Count, Fraction, write_json

# The strong view of MMDetection's Soft Teacher, but what moves objects.
STRONG = (
    dict(type='mmdet.RandAugment', aug_space=[[dict(type=f'mmdet.{name}')] for name in (
        'ColorTransform', 'AutoContrast', 'Equalize', 'Sharpness', 'Posterize', 'Solarize',
        'Color', 'Contrast', 'Brightness',
    )], aug_num=1),
    dict(type='mmdet.RandomErasing', n_patches=(1, 5), ratio=(0, 0.2)),
)  # fmt: skip


@HOOKS.register_module()
class DenseScoresHook(FeatureDistillationHook):
    """Add a loss: the student's scores at every place of its maps, against a teacher's.

    A quality focal loss (Li et al. 2020) over the classes that teacher and student call by one
    name, before any threshold or suppression. Of heads whose first output is a map of logits a
    level, ``(B, classes, H, W)``, and of YOLOX's, whose third says where there is an object.
    """

    def before_train(self, runner: Runner) -> None:
        """Listen to the student's head, and find the classes that both know."""
        model = unwrapped(runner.model)
        teacher = self._teacher()
        assert isinstance(teacher, MMDetTeacher)
        classes = runner.train_dataloader.dataset.metainfo['classes']
        both = [name for name in teacher.classes if name in classes]
        self._of_teacher = [teacher.classes.index(name) for name in both]
        self._of_student = [classes.index(name) for name in both]
        self._see = lambda pictures: self._scores(teacher, pictures)
        self._patches.add(model.bbox_head.register_forward_hook(self._keep_scores).remove)
        self._patches.replace(model, 'loss', self._loss)

    @torch.no_grad()
    def _scores(
        self, teacher: MMDetTeacher, pictures: Sequence[Tensor]
    ) -> tuple[tuple[Tensor, ...], tuple[int, int]]:
        maps, whole = teacher.feature_maps(pictures)
        outputs = teacher._model.bbox_head(maps)
        scores = [each.sigmoid()[:, self._of_teacher] for each in outputs[0]]
        if len(outputs) > 2:
            objects = [each.sigmoid() for each in outputs[2]]
            scores = [each * there for each, there in zip(scores, objects, strict=True)]
        return tuple(scores), whole

    def _keep_scores(self, head: nn.Module, args: Any, outputs: Any) -> None:
        self._maps = tuple(each[:, self._of_student] for each in outputs[0])

    def _difference(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
        losses, sure = [], []
        for logits, targets in pairs:
            error = binary_cross_entropy_with_logits(logits, targets, reduction='none')
            losses.append((error * (logits.sigmoid() - targets).square()).sum())
            sure.append(targets.sum())
        return torch.stack(losses).sum() / torch.stack(sure).sum().clamp(min=1)


@HOOKS.register_module()
class OnlineTeacherHook(LabelAgreementHook):
    """Label online what the teachers missed, by the average of the student's weights.

    The average sees each batch as it comes; what it is as sure of as of most labels of a class,
    where no label is, the student learns as a label, from colors and patches of a strong view.

    Args:
        begin: As of :class:`LabelAgreementHook`.
        least: What scores less is no label, however unsure most labels of its class are.
    """

    def __init__(self, begin: Count, least: Fraction = 0.0) -> None:
        super().__init__(begin)
        self.least = least

    def before_train(self, runner: Runner) -> None:
        """See :class:`LabelAgreementHook`."""
        super().before_train(runner)
        self._strong = Compose(list(STRONG))

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None
    ) -> None:
        """Add labels to a batch, and show the student its strong view."""
        if runner.iter < self.begin:
            return
        super().before_train_iter(runner, batch_idx, data_batch)
        assert data_batch is not None
        data_batch['inputs'] = [self._strong_view(each) for each in data_batch['inputs']]

    def _strong_view(self, picture: Tensor) -> Tensor:
        pixels = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
        seen = self._strong({'img': pixels, 'img_shape': pixels.shape[:2]})['img']
        return torch.from_numpy(np.ascontiguousarray(seen.transpose(2, 0, 1)))

    def _change(self, sample: DetDataSample, factors: Tensor, missed: InstanceData) -> None:
        # No label is weighed.
        missed = missed[missed.scores >= self.least]
        if len(missed):
            sample.gt_instances = joined(sample.gt_instances, missed)


def joined(boxes: InstanceData, more: InstanceData) -> InstanceData:
    """Return labels and further ones, of weight 1."""
    fields: dict[str, Any] = {
        'bboxes': type(boxes.bboxes).cat([boxes.bboxes, type(boxes.bboxes)(more.bboxes)]),
        'labels': torch.cat([boxes.labels, more.labels.to(boxes.labels)]),
    }
    if 'weights' in boxes:
        fields['weights'] = pad(boxes.weights, (0, len(more)), value=1.0)
    return InstanceData(**fields)


def write_views(
    source: Path, pictures: Path, folder: Path, views: int, steps: Sequence[Any]
) -> Path:
    """Store views of pictures as the student sees them, and return their list.

    Args:
        source: The COCO json of the pictures.
        pictures: Their folder.
        folder: Where the views go, in ``images``.
        views: How many of each picture.
        steps: The student's own transforms that move and cut pictures, from the file on.
    """
    listed = folder / 'views.json'
    if listed.is_file():
        return listed
    (folder / 'images').mkdir(parents=True, exist_ok=True)
    random.seed(0)
    np.random.seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        see = Compose(list(steps))
    images: list[dict[str, Any]] = []
    known: Mapping[str, Any] = json.loads(source.read_text(encoding='utf-8'))
    for image in known['images']:
        for view in range(views):
            read = {'img_path': str(pictures / image['file_name'])}
            pixels = see(read)['img']
            name = f'{Path(image["file_name"]).stem}_{view}.jpg'
            cv2.imwrite(str(folder / 'images' / name), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
            height, width = pixels.shape[:2]
            images.append({'id': len(images), 'file_name': name, 'width': width, 'height': height})
    content = {'images': images, 'annotations': [], 'categories': known['categories']}
    write_json('--work-dir', listed, content, indent=None)
    return listed
