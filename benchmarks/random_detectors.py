"""Detectors of MMDetection with random weights, which find boxes nevertheless."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.models.detectors import SingleStageDetector
from torch.nn import Conv2d, Linear
from torch.nn.modules.batchnorm import _BatchNorm

from mmcompose.structures import Image
from mmcompose.teachers import MMDetTeacher, read_config
from mmcompose.teachers.mmdet.model import build_model
from mmcompose.teachers.mmdet.panoptic import asked_for_boxes
from mmcompose.teachers.mmdet.tracking import detector_of

# Thresholds that random weights stay under.
OPENED: dict[str, float] = dict.fromkeys(
    ('score_thr', 'conf_thr', 'filter_thr', 'object_mask_thr', 'mask_score_thr'), 0.0
)
OPENED |= {'distance_threshold': 1e6, 'corner_topk': 300}
NO_BOXES = 'no boxes came out'


def label_two_pictures(path: Path, long_side: int, settled: bool, folder: Path) -> dict[str, Any]:
    """Build a config's detector with random weights and let it teach.

    Args:
        path: The config.
        long_side: What larger test sizes are cut to, in pixels.
        settled: Widen its heads, and let its batch norms see noise first.
        folder: For the checkpoint and the changed config.

    Returns:
        How many parameters it has and boxes it finds.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = asked_for_boxes(detector_of(read_config(str(path))))
    if 'language_model' in config.model:
        rename(config.model, 'bert-base-uncased', small_bert(folder))
    if 'corner_topk' in (config.model.get('test_cfg') or {}):
        # Corners of many classes, of random weights, seldom make a pair.
        config.model.bbox_head.num_classes = 1
    _open(config.model.get('test_cfg') or {})
    _open(config.model)
    _shrink(config.get('test_dataloader'), long_side)
    config.dump(folder / 'config.py')
    model = build_model(config)
    model.init_weights()
    if settled:
        _widen_heads(model)
        _settle(model)
    classes = [f'class {number}' for number in range(_num_classes(model))]
    checkpoint = folder / 'random.pth'
    meta = {'dataset_meta': {'classes': classes}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, checkpoint)
    del model
    texts = ['cat', 'dog'] if 'language_model' in config.model else None
    teacher = MMDetTeacher(str(folder / 'config.py'), str(checkpoint), texts=texts, device='cpu')
    random = np.random.default_rng(0)
    images = [Image(f'{n}', f'{n}.png', *size) for n, size in enumerate([(320, 240), (200, 260)])]
    for image in images:
        shape = (image.height, image.width, 3)
        vars(image)['pixels'] = random.integers(0, 256, shape, np.uint8)
    found = teacher.predict(images)
    boxes = [len(one) for one in found]
    why = '' if all(boxes) else NO_BOXES
    return {'ok': all(boxes), 'why': why, 'boxes': boxes, 'parameters': teacher.num_parameters}


def _widen_heads(model: Any) -> None:
    """Let heads say different things of different places, whatever they are initialised to say."""
    for name, module in model.named_modules():
        if name.startswith(('backbone', 'neck')) or not isinstance(module, (Conv2d, Linear)):
            continue
        if name.endswith('fc_reg'):
            # MMDet cannot paste the mask of a box that six stages moved out of the picture.
            torch.nn.init.normal_(module.weight, std=0.01)
        else:
            torch.nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)


def _settle(model: Any) -> None:
    """Let batch norms see noise, lest the activations of many random layers overflow."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.train()
            module.momentum = 1.0
    with torch.no_grad():
        features = model.extract_feat(torch.randn(2, 3, 256, 256))
        if isinstance(model, SingleStageDetector):
            model.bbox_head(features)


def _open(settings: Any) -> None:
    """Let everything through, wherever the threshold stands."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if key in OPENED:
                settings[key] = OPENED[key]  # type: ignore[index]
            _open(value)
    elif isinstance(settings, (list, tuple)):
        for item in settings:
            _open(item)


def rename(settings: Any, old: str, new: str) -> None:
    """Put ``new`` wherever ``old`` stands."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if value == old:
                settings[key] = new  # type: ignore[index]
            rename(value, old, new)


def _shrink(settings: Any, long_side: int) -> None:
    """Cut the sizes of every ``Resize`` and ``Pad``."""
    if isinstance(settings, Mapping):
        for name in ('scale', 'size'):
            size = settings.get(name)
            if isinstance(size, (list, tuple)) and max(size) > long_side:
                ratio = long_side / max(size)
                settings[name] = tuple(round(side * ratio / 32) * 32 for side in size)  # type: ignore[index]
        for value in settings.values():
            _shrink(value, long_side)
    elif isinstance(settings, (list, tuple)):
        for item in settings:
            _shrink(item, long_side)


def _num_classes(model: Any) -> int:
    counts = [
        module.num_classes
        for name, module in model.named_modules()
        if isinstance(getattr(module, 'num_classes', None), int) and 'rpn' not in name
    ]
    return max(counts, default=1)


def small_bert(folder: Path) -> str:
    """Save a random BERT of a few words into a folder, and return it."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = [chr(number) for number in range(ord('a'), ord('z') + 1)]
    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '.', '?']
    words += [*letters, *(f'##{letter}' for letter in letters), 'cat', 'dog']
    (folder / 'vocab.txt').write_text('\n'.join(words))
    BertTokenizerFast(str(folder / 'vocab.txt')).save_pretrained(folder)
    small = {'hidden_size': 768, 'num_hidden_layers': 2, 'num_attention_heads': 2}
    config = BertConfig(vocab_size=len(words), intermediate_size=64, **small)
    BertModel(config).save_pretrained(folder)
    return str(folder)
