"""MMDetTeacher: any detector of MMDetection, from its config and checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import cv2
import torch
from mmcv.transforms import Compose
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from mmcompose.class_space import GivenNames, check_order
from mmcompose.registry import TEACHERS, type_name
from mmcompose.structures import Detections, Image
from mmcompose.teachers.batches import PreparedTeacher, unprepared
from mmcompose.teachers.checkpoint import checkpoint_classes, local_checkpoint, read_checkpoint
from mmcompose.teachers.device import torch_device
from mmcompose.teachers.feature_maps import ShowsFeatureMaps
from mmcompose.teachers.mmdet.config import read_config, scope_of
from mmcompose.teachers.mmdet.model import build_model, check_class_count, load_weights
from mmcompose.teachers.mmdet.panoptic import asked_for_boxes, num_things
from mmcompose.teachers.mmdet.pipeline import make_pipeline, shapes_of, test_steps
from mmcompose.teachers.mmdet.results import (
    detections_of,
    has_mask_head,
    lacks_operator,
    may_give_masks,
)
from mmcompose.teachers.mmdet.speed import check_compile_options, compile_features, halve_features
from mmcompose.teachers.mmdet.tracking import detector_of, is_tracker, without_tracker
from mmcompose.teachers.mmdet.zoo import config_and_checkpoint
from mmcompose.teachers.named_classes import named_classes, named_texts
from mmcompose.teachers.reduced_decode import as_if_whole, reduction_for, resized, scales_of
from mmcompose.utils import Count, Name, UserError, fault, file_fingerprint, problem

_DECIDE_NOTHING = ('batch_size', 'device', 'trust_checkpoint')
_IN_IDENTITY = ('config', 'checkpoint', 'cfg_options', 'model', 'masks')


@TEACHERS.register_module()
class MMDetTeacher(PreparedTeacher, ShowsFeatureMaps):
    """A detector of MMDetection (or of a package built on it), or the one inside a tracker.

    Args:
        config: A config file's path, or the name of one that an OpenMMLab package installed,
            e.g. ``mmdet::yolox/yolox_s_8xb8-300e_coco.py``; or a config that was read already.
        checkpoint: Path or URL of its weights (``.pth`` or ``.safetensors``).
        classes: Class names, or a data set's name that MMDet knows. Defaults to those in the
            checkpoint.
        cfg_options: Changes to the config, as MMDet's tools take them.
        batch_size: How many images of one shape share a batch. Defaults to 8.
        device: Defaults to the current GPU where there is one, else the CPU.
        trust_checkpoint: Load a checkpoint that holds more than weights. Defaults to False.
        model: A model of MMDet's zoo by name, e.g. ``rtmdet_tiny_8xb32-300e_coco``, instead of
            ``config``, and of ``checkpoint`` where that is not given.
        texts: What an open-vocabulary model (GLIP, Grounding DINO) shall look for; these are
            then its classes.
        tta: Test-time augmentation as the config's ``tta_model`` and ``tta_pipeline`` have it.
            Defaults to False.
        half_precision: Compute backbone and neck in 16 bits (autocast: float16 on a GPU,
            bfloat16 on the CPU), the heads in 32. Defaults to False.
        torch_compile: Compile backbone and neck: True, or arguments of ``torch.compile``.
            Defaults to False.
        masks: Whether to take the model's masks where it makes any: False spares encoding and
            storing what a box student does not read. Defaults to True.
        reduced_decode: Decode JPEGs at a half, a fourth or an eighth of their size where that is
            no less than the model takes: of large pictures in a fraction of the time, with boxes
            that differ a little. Defaults to False.
    """

    regresses_boxes = True
    unaddressed = frozenset({*_DECIDE_NOTHING, *_IN_IDENTITY})

    def __init__(
        self,
        config: str | Config | None = None,
        checkpoint: str | None = None,
        classes: Name | GivenNames | None = None,
        cfg_options: Mapping[str, Any] | None = None,
        batch_size: Count = 8,
        device: str | None = None,
        trust_checkpoint: bool = False,
        model: str | None = None,
        texts: Sequence[Name] | None = None,
        tta: bool = False,
        half_precision: bool = False,
        torch_compile: bool | Mapping[str, Any] = False,
        masks: bool = True,
        reduced_decode: bool = False,
    ) -> None:
        config, checkpoint = config_and_checkpoint(config, checkpoint, model)
        self._config = read_config(config)
        if cfg_options:
            self._config.merge_from_dict(dict(cfg_options))
        if 'model' not in self._config:
            raise UserError(problem('config', config, 'has no model'))
        self._is_tracker = is_tracker(self._config)
        self._config = detector_of(self._config)
        self._num_things = num_things(self._config)
        self._config = asked_for_boxes(self._config)
        if tta and not {'tta_model', 'tta_pipeline'} <= set(self._config):
            raise UserError(problem('tta', config, 'has no tta_model and tta_pipeline'))
        if tta and has_mask_head(self._config.model):
            raise UserError(
                fault(
                    'tta',
                    "MMDetection does not merge the masks of a picture's views; use "
                    'mmcompose.EnsembleTeacher, whose flip does',
                )
            )
        if texts is not None and not self.is_open_vocabulary:
            raise UserError(problem('texts', config, 'is no model that reads text'))
        self._checkpoint = local_checkpoint(checkpoint)
        self._trust = trust_checkpoint
        self._batch_size = batch_size
        self._device = torch_device(device)
        if texts is None:
            self.classes = self._read_classes(classes)
        else:
            self.classes = named_texts(texts, classes)
        self._tta = tta
        self._half_precision = half_precision
        self._torch_compile = check_compile_options(torch_compile)
        self._masks = masks
        self._scales = scales_of(test_steps(self._config, tta)) if reduced_decode else None

    def _read_classes(self, classes: str | GivenNames | None) -> tuple[str, ...]:
        stored = checkpoint_classes(read_checkpoint(self._checkpoint, self._trust))
        # Stuff has no boxes.
        stored = stored and stored[: self._num_things]
        if classes is None and stored is None:
            raise UserError(
                fault(
                    'classes',
                    f'is missing, and {self._checkpoint!r} does not name its classes; '
                    f"list them, or name a data set, e.g. 'coco'",
                )
            )
        if classes is None:
            return named_classes(stored or ())
        given = named_classes(classes)
        if stored is not None:
            check_order(given, stored, 'classes', repr(self._checkpoint))
        return given

    @property
    def identity(self) -> Any:
        """See :attr:`Teacher.identity`: model and test pipeline with all they inherit, the weights.

        And what decides which classes the types in them name. Not what the model was tested on,
        nor how that is loaded: data sets are moved, and a config reads where they are from the
        environment.
        """
        settings = {
            'model': self._config.model,
            'pipeline': test_steps(self._config, self._tta),
            'tta_model': self._config.tta_model if self._tta else None,
            'default_scope': self._config.get('default_scope'),
            'custom_imports': self._config.get('custom_imports'),
        }
        identity = {
            # Not laid out by yapf, which takes seconds and changes with its version.
            'settings': Config(settings, format_python_code=False).pretty_text,
            'checkpoint': file_fingerprint(self._checkpoint),
        }
        return {**identity, 'masks': True} if self.may_give_masks else identity

    @property
    def may_give_masks(self) -> bool:
        """See :attr:`Teacher.may_give_masks`."""
        return self._masks and may_give_masks(self._config.model)

    @property
    def architecture(self) -> str:
        """See :attr:`Teacher.architecture`."""
        return type_name(self._config.model)

    @property
    def num_parameters(self) -> int:
        """See :attr:`Teacher.num_parameters`."""
        return sum(parameter.numel() for parameter in self._model.parameters())

    @property
    def is_open_vocabulary(self) -> bool:
        """Whether the model finds what its texts name."""
        return 'language_model' in self._config.model

    def detector(self) -> torch.nn.Module:
        """Return the detector with its weights, on the CPU; each call makes another.

        Raises:
            UserError: If the weights do not fit the config, or their classes the names.
        """
        model = build_model(self._config)
        weights = read_checkpoint(self._checkpoint, self._trust)['state_dict']
        if self._is_tracker:
            weights = without_tracker(weights)
        load_weights(model, weights, self._checkpoint)
        if not self.is_open_vocabulary:
            check_class_count(model, self.classes)
        return model

    @cached_property
    def _model(self) -> Any:
        model: Any = self.detector()
        # No chaining: `train` of a distillation detector returns nothing.
        model.to(self._device)
        model.eval()
        if self._torch_compile:
            compile_features(model, self._torch_compile)
        if self._half_precision:
            halve_features(model, self._device)
        if self._tta:
            with scope_of(self._config):
                model = MODELS.build({**self._config.tta_model, 'module': model}).eval()
        return model

    @cached_property
    def _pipeline(self) -> Compose:
        return make_pipeline(self._config, self._tta)

    @cached_property
    def _divisor(self) -> int | None:
        """Of what padded sides are multiples; None where MMDet's own class prepares no batch."""
        config = self._config.model.get('data_preprocessor') or {}
        if self._tta or not config or type_name(config) != 'DetDataPreprocessor':
            return None
        return int(config.get('pad_size_divisor', 1))

    @property
    def batch_size(self) -> int:
        """See :attr:`PreparedTeacher.batch_size`: 1 of a model that cuts its texts into chunks."""
        chunked = (self._config.model.get('test_cfg') or {}).get('chunked_size', -1) > 0
        return 1 if chunked else self._batch_size

    def load(self) -> None:
        """See :meth:`PreparedTeacher.load`."""
        assert self._pipeline is not None

    def prepare(self, image: Image) -> Any:
        """See :meth:`PreparedTeacher.prepare`."""
        pixels = image.reduced(self.reduction(image))
        data = {'img': pixels, 'img_id': image.key, 'img_path': image.path}
        if self.is_open_vocabulary:
            data |= {'text': self.classes, 'custom_entities': True}
        try:
            prepared = self._pipeline(data)
        except cv2.error as error:
            raise unprepared([image], error) from error
        height, width = pixels.shape[:2]
        if (width, height) != (image.width, image.height):
            as_if_whole(prepared, image, (width, height))
        return prepared

    def reduction(self, image: Image) -> int:
        """See :meth:`PreparedTeacher.reduction`."""
        if self._scales is None:
            return 1
        return reduction_for(image, [resized(image, scale) for scale in self._scales])

    def shape_of(self, prepared: Any) -> tuple[tuple[int, ...], ...]:
        """See :meth:`PreparedTeacher.shape_of`: as padded, and of each view of several."""
        return shapes_of(prepared['inputs'], self._divisor or 1)

    @torch.inference_mode()
    def predict_prepared(
        self, images: Sequence[Image], prepared: Sequence[Any]
    ) -> list[Detections]:
        """See :meth:`PreparedTeacher.predict_prepared`."""
        with scope_of(self._config):
            return detections_of(self._test(prepared), images, self._masks)

    @torch.no_grad()
    def feature_maps(
        self, pictures: Sequence[torch.Tensor]
    ) -> tuple[tuple[torch.Tensor, ...], tuple[int, int]]:
        """See :meth:`ShowsFeatureMaps.feature_maps`: at the size that the pictures have."""
        batch = {'inputs': list(pictures), 'data_samples': None}
        inputs = self._model.data_preprocessor(batch)['inputs']
        height, width = inputs.shape[-2:]
        return tuple(self._model.extract_feat(inputs)), (height, width)

    def _test(self, batch: Sequence[Any]) -> Any:
        collated = pseudo_collate(batch)
        inputs = collated['inputs']
        if self._divisor and len({each.shape for each in inputs}) == 1:
            # Normalized at once: picture by picture is a tenth of a small detector's time on a GPU.
            moved = [each.to(self._device, non_blocking=True) for each in inputs]
            collated['inputs'] = torch.stack(moved)
        try:
            return self._model.test_step(collated)
        except RuntimeError as error:
            if (mistake := lacks_operator(error)) is not None:
                raise mistake from error
            raise
