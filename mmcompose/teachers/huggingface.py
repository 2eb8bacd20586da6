"""HuggingFaceTeacher: an object detector of the transformers library, from a folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmcompose.registry import TEACHERS
from mmcompose.structures import Detections, Image
from mmcompose.teachers.base import Teacher, checked, missing_package, named_classes
from mmcompose.utils import UserError, problem


@TEACHERS.register_module()
class HuggingFaceTeacher(Teacher):
    """Any ``AutoModelForObjectDetection``, or a zero-shot one with texts.

    Args:
        model: A folder as ``save_pretrained`` writes it (weights as safetensors, with the image
            processor), or a model's name on the hub.
        classes: Class names in the model's order. Defaults to the ``id2label`` of its config.
        texts: What a zero-shot model (OWL-ViT, Grounding DINO) shall look for; these are then
            its classes.
        score_thr: Boxes with a lower score are not told. Defaults to 0.01.
        text_threshold: Grounding DINO's threshold on words. Defaults to the library's.
        batch_size: How many images share a batch. Defaults to 1: most processors pad a batch,
            and padding changes detections.
        device: Defaults to the current GPU where there is one, else the CPU.
    """

    def __init__(
        self,
        model: str,
        classes: str | Sequence[str] | None = None,
        texts: Sequence[str] | None = None,
        score_thr: float = 0.01,
        text_threshold: float | None = None,
        batch_size: int = 1,
        device: str | None = None,
    ) -> None:
        if texts is not None and classes is not None:
            raise UserError('classes: are the texts where texts are given; leave them out')
        self._name = model
        self._texts = None if texts is None else list(texts)
        self._score_thr = score_thr
        self._text_threshold = text_threshold
        self._batch_size = batch_size
        self._device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        self.classes = named_classes(self._texts or classes or self._labels())

    @staticmethod
    def _library() -> Any:
        try:
            import transformers
        except ImportError as error:
            raise missing_package('transformers', 'hf') from error
        return transformers

    def _load(self, kind: str, **options: Any) -> Any:
        if Path(self._name).exists() and not (Path(self._name) / 'config.json').is_file():
            raise UserError(problem('model', self._name, 'is no folder of save_pretrained'))
        try:
            return getattr(self._library(), kind).from_pretrained(self._name, **options)
        except (OSError, ValueError, ImportError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(problem('model', self._name, f'cannot be loaded ({reason})')) from error

    def _labels(self) -> list[str]:
        names = self._load('AutoConfig').id2label
        return [names[number] for number in sorted(names)]

    @cached_property
    def _processor(self) -> Any:
        return self._load('AutoProcessor' if self._texts else 'AutoImageProcessor')

    @cached_property
    def _model(self) -> Any:
        kind = 'ZeroShotObjectDetection' if self._texts else 'ObjectDetection'
        # Never a pickle: only safetensors are weights and nothing else.
        model = self._load(f'AutoModelFor{kind}', use_safetensors=True)
        return model.to(self._device).eval()

    @property
    def num_parameters(self) -> int:
        """See :attr:`Teacher.num_parameters`."""
        return sum(parameter.numel() for parameter in self._model.parameters())

    @torch.inference_mode()
    def predict(self, images: Sequence[Image]) -> list[Detections]:
        """See :meth:`Teacher.predict`."""
        found: list[Detections] = []
        for start in range(0, len(images), self._batch_size):
            found += self._predict_batch(images[start : start + self._batch_size])
        return [checked(one, image, self.classes) for one, image in zip(found, images, strict=True)]

    def _predict_batch(self, images: Sequence[Image]) -> list[Detections]:
        pictures = [np.ascontiguousarray(image.pixels[..., ::-1]) for image in images]
        sizes = torch.tensor([[image.height, image.width] for image in images])
        if self._texts is None:
            inputs = self._processor(images=pictures, return_tensors='pt').to(self._device)
            results = self._processor.post_process_object_detection(
                self._model(**inputs), threshold=self._score_thr, target_sizes=sizes
            )
            return [self._detections(result) for result in results]
        return self._predict_texts(pictures, sizes)

    def _predict_texts(self, pictures: list[Any], sizes: torch.Tensor) -> list[Detections]:
        assert self._texts is not None
        options: dict[str, Any] = {'threshold': self._score_thr, 'target_sizes': sizes}
        if 'grounding' in self._model.config.model_type:
            prompts: Any = [' '.join(f'{text}.' for text in self._texts)] * len(pictures)
        else:
            prompts = [self._texts] * len(pictures)
        inputs = self._processor(
            images=pictures, text=prompts, return_tensors='pt', padding=True
        ).to(self._device)
        outputs = self._model(**inputs)
        if isinstance(prompts[0], list):
            results = self._processor.post_process_object_detection(outputs, **options)
            return [self._detections(result) for result in results]
        if self._text_threshold is not None:
            options['text_threshold'] = self._text_threshold
        results = self._processor.post_process_grounded_object_detection(
            outputs, inputs['input_ids'], **options
        )
        return [self._grounded(result) for result in results]

    @staticmethod
    def _detections(result: Any) -> Detections:
        arrays = (result['boxes'], result['scores'], result['labels'])
        return Detections.of(*(array.detach().float().cpu().numpy() for array in arrays))

    def _grounded(self, result: Any) -> Detections:
        # Words that are no whole text of ours are dropped.
        names = result.get('text_labels') or result['labels']
        labels = [self.classes.index(name) if name in self.classes else -1 for name in names]
        found = Detections.of(result['boxes'].cpu(), result['scores'].cpu(), labels)
        return found[found.labels >= 0]
