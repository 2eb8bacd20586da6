"""HuggingFaceTeacher: an object detector of the transformers library, from a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmcompose.class_space import GivenNames, check_order, class_names
from mmcompose.registry import TEACHERS
from mmcompose.structures import Detections, Image
from mmcompose.teachers.base import Teacher
from mmcompose.teachers.batches import in_batches, unprepared
from mmcompose.teachers.device import torch_device
from mmcompose.teachers.named_classes import named_classes, named_texts
from mmcompose.utils import (
    Count,
    Fraction,
    Name,
    UserError,
    fault,
    first_line,
    optional_package,
    problem,
)

# How a zero-shot model takes its texts: each as a query of its own, or all in one sentence.
_QUERIES = ('owlvit', 'owlv2')
_SENTENCE = ('grounding-dino', 'mm-grounding-dino')


@TEACHERS.register_module()
class HuggingFaceTeacher(Teacher):
    """Any ``AutoModelForObjectDetection``, or a zero-shot one with texts.

    Args:
        model: A folder as ``save_pretrained`` writes it (weights as safetensors, with the image
            processor), or a model's name on the hub.
        classes: Class names in the model's order. Defaults to the ``id2label`` of its config.
        texts: What a zero-shot model (OWL-ViT, OWLv2, Grounding DINO) shall look for; these are
            then its classes.
        score_thr: Boxes with a lower score are left out. Defaults to 0.01.
        batch_size: How many images share a batch. Defaults to 1: most processors pad a batch,
            and padding changes detections.
        device: Defaults to the current GPU where there is one, else the CPU.
    """

    regresses_boxes = True
    # Not the size of a batch: padding changes detections.
    unaddressed = frozenset({'device'})

    def __init__(
        self,
        model: str,
        classes: Name | GivenNames | None = None,
        texts: Sequence[Name] | None = None,
        score_thr: Fraction = 0.01,
        batch_size: Count = 1,
        device: str | None = None,
    ) -> None:
        self._name = model
        self._reads_texts = texts is not None
        self._score_thr = score_thr
        self._batch_size = batch_size
        self._device = torch_device(device)
        config = self._load('AutoConfig')
        self._num_labels = config.num_labels
        # Of the hub's files; None of a folder, whose content is looked at.
        self._commit: str | None = getattr(config, '_commit_hash', None)
        self._model_type = config.model_type
        if texts is None:
            self.classes = self._names(config, classes)
            return
        self.classes = named_texts(texts, classes)
        if config.model_type not in (*_QUERIES, *_SENTENCE):
            known = ', '.join((*_QUERIES, *_SENTENCE))
            expected = f'is a {config.model_type}; texts are for {known}'
            raise UserError(problem('model', model, expected))

    def _names(self, config: Any, classes: str | GivenNames | None) -> tuple[str, ...]:
        stored = config.id2label
        # transformers makes a head as wide as there are names, and counts its labels from 0.
        if sorted(stored) != list(range(len(stored))):
            if classes is None:
                expected = (
                    f'names {len(stored)} classes by the numbers {min(stored)} to {max(stored)} '
                    '(id2label), but labels are numbered from 0: give classes, a name for each '
                    'that its head has'
                )
                raise UserError(problem('model', self._name, expected))
            return named_classes(classes)
        if classes is None:
            return class_names(stored, 'model')
        given = named_classes(classes)
        names = [str(stored[number]) for number in range(len(stored))]
        check_order(given, names, 'classes', repr(self._name))
        return given

    @property
    def identity(self) -> Any:
        """See :attr:`Teacher.identity`: which version of a model a hub's name stands for."""
        return None if self._commit is None else {'commit': self._commit}

    @staticmethod
    def _library() -> Any:
        return optional_package('transformers', 'hf')

    def _load(self, kind: str, **options: Any) -> Any:
        if Path(self._name).exists() and not (Path(self._name) / 'config.json').is_file():
            raise UserError(problem('model', self._name, 'is no folder of save_pretrained'))
        # Unset, it prompts on the terminal whether to run the code that comes with a model.
        options['trust_remote_code'] = False
        try:
            return getattr(self._library(), kind).from_pretrained(self._name, **options)
        except (OSError, ValueError, ImportError, RuntimeError) as error:
            expected = f'cannot be loaded ({_reason(error)})'
            raise UserError(problem('model', self._name, expected)) from error

    @cached_property
    def _processor(self) -> Any:
        return self._load('AutoProcessor' if self._reads_texts else 'AutoImageProcessor')

    @cached_property
    def _model(self) -> Any:
        kind = 'ZeroShotObjectDetection' if self._reads_texts else 'ObjectDetection'
        # Never a pickle: only safetensors are weights and nothing else.
        model = self._load(f'AutoModelFor{kind}', use_safetensors=True, **self._head)
        return model.to(self._device).eval()

    @property
    def _head(self) -> dict[str, int]:
        """What to change of the model's config: how many classes its head has."""
        if self._reads_texts or self._num_labels == len(self.classes):
            return {}
        return {'num_labels': len(self.classes)}

    @property
    def architecture(self) -> str:
        """See :attr:`Teacher.architecture`."""
        return str(self._model_type)

    @property
    def num_parameters(self) -> int:
        """See :attr:`Teacher.num_parameters`."""
        return sum(parameter.numel() for parameter in self._model.parameters())

    @torch.inference_mode()
    def predict(self, images: Sequence[Image]) -> list[Detections]:
        """See :meth:`Teacher.predict`."""
        found: list[Detections] = []
        for batch in in_batches(images, self._batch_size):
            found += self._predict_batch(batch)
        return found

    def _predict_batch(self, images: Sequence[Image]) -> list[Detections]:
        sizes = torch.tensor([[image.height, image.width] for image in images])
        # Before the model runs: it would cut a sentence short without a word.
        tokens = self._tokens if self._reads_texts else None
        outputs = self._model(**self._prepared(images).to(self._device))
        if tokens is not None:
            return self._grounded(outputs, tokens, sizes)
        results = self._processor.post_process_object_detection(
            outputs, threshold=self._score_thr, target_sizes=sizes
        )
        return [_detections(each['boxes'], each['scores'], each['labels']) for each in results]

    def _prepared(self, images: Sequence[Image]) -> Any:
        # Channels first, as no processor takes them for another side: one of 3 is also a height.
        pictures = [
            np.ascontiguousarray(image.pixels[..., ::-1].transpose(2, 0, 1)) for image in images
        ]
        texts: dict[str, Any] = {}
        if self._reads_texts:
            texts = {'text': [self._prompt] * len(images), 'padding': True}
        try:
            return self._processor(images=pictures, return_tensors='pt', **texts)
        except ValueError as error:
            if len(images) == 1:
                raise unprepared(images, error) from error
            for image in images:
                self._prepared([image])
            expected = 'is too many: the processor does not bring pictures to one shape; expected 1'
            raise UserError(problem('batch_size', self._batch_size, expected)) from error

    @cached_property
    def _prompt(self) -> list[str] | str:
        """What the model looks for: queries, or one sentence."""
        if self._reads_texts and self._model.config.model_type in _SENTENCE:
            return ' '.join(f'{text}.' for text in self.classes)
        return list(self.classes)

    @cached_property
    def _tokens(self) -> list[list[int]] | None:
        """Where in a sentence's tokens each text stands; None where each is a query of its own."""
        if not isinstance(self._prompt, str):
            most = self._model.config.text_config.max_position_embeddings
            for text in self.classes:
                if (count := len(self._processor.tokenizer(text)['input_ids'])) > most:
                    expected = f'is {count} tokens, the model reads {most}'
                    raise UserError(problem('texts', text, expected))
            return None
        sentence = self._processor.tokenizer(self._prompt)
        most = self._model.config.max_text_len
        if len(sentence['input_ids']) > most:
            count = len(sentence['input_ids'])
            raise UserError(fault('texts', f'are {count} tokens in all, the model reads {most}'))
        found, start = [], 0
        for text in self.classes:
            places = [sentence.char_to_token(start + at) for at in range(len(text))]
            found.append(sorted({place for place in places if place is not None}))
            if not found[-1]:
                raise UserError(
                    problem('texts', text, 'has no token that the model could look for')
                )
            start += len(text) + len('. ')
        return found

    def _grounded(
        self, outputs: Any, tokens: Sequence[Sequence[int]], sizes: torch.Tensor
    ) -> list[Detections]:
        """Decode Grounding DINO as its authors evaluate it on COCO (Liu et al. 2023).

        A text's score is the mean over its tokens; the library's own decoding gives words, which
        are not always those that were given.
        """
        by_token = outputs.logits.float().sigmoid()
        by_text = torch.stack([by_token[..., places].mean(-1) for places in tokens], -1)
        scores, labels = by_text.max(-1)
        center, half = outputs.pred_boxes.float().split(2, -1)
        corners = torch.cat([center - half / 2, center + half / 2], -1)
        boxes = corners * sizes.flip(1).repeat(1, 2)[:, None].to(corners)
        keep = scores >= self._score_thr
        return [
            _detections(*(array[kept] for array in arrays))
            for *arrays, kept in zip(boxes, scores, labels, keep, strict=True)
        ]


def _reason(error: Exception) -> str:
    """Return why a model cannot be loaded, in one line."""
    mismatch = next((line for line in str(error).splitlines() if 'size mismatch' in line), None)
    if mismatch is None:
        return first_line(error)
    rows = re.findall(r'torch\.Size\(\[(\d+)', mismatch)
    if 'class' not in mismatch or len(rows) != 2:
        return ' '.join(mismatch.split())
    return f'its head has {rows[0]} classes, but there are {rows[1]} names'


def _detections(*arrays: torch.Tensor) -> Detections:
    return Detections.from_arrays(*(array.detach().float().cpu().numpy() for array in arrays))
