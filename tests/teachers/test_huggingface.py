"""HuggingFaceTeacher: small random models of the transformers library, saved by the test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Image
from mmcompose.teachers import Teacher
from mmcompose.teachers.huggingface import HuggingFaceTeacher
from mmcompose.utils import UserError


@pytest.fixture(scope='module')
def rt_detr(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random RT-DETR of three classes."""
    torch.manual_seed(0)
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type='basic',
        out_features=['stage2', 'stage3', 'stage4'],
    )
    config = transformers.RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=16,
        encoder_in_channels=[8, 16, 16],
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        d_model=16,
        num_queries=20,
        decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=16,
        decoder_layers=1,
        decoder_attention_heads=2,
        id2label={0: 'cat', 1: 'dog', 2: 'tree'},
    )
    folder = tmp_path_factory.mktemp('rt_detr')
    model = transformers.RTDetrForObjectDetection(config)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    size = {'height': 64, 'width': 64}
    transformers.RTDetrImageProcessor(size=size).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope='module')
def owl_vit(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random OWL-ViT whose tokenizer knows the letters of the alphabet."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp('owl_vit')
    letters = [chr(number) for number in range(ord('a'), ord('z') + 1)]
    # Number 0 in the first place means: no text here.
    words = ['!', '<|startoftext|>', '<|endoftext|>', *letters, *(f'{a}</w>' for a in letters)]
    vocabulary = {word: number for number, word in enumerate(words)}
    (folder / 'vocab.json').write_text(json.dumps(vocabulary))
    (folder / 'merges.txt').write_text('#version: 0.2\n')
    small: dict[str, Any] = {
        'hidden_size': 16,
        'intermediate_size': 16,
        'num_hidden_layers': 1,
        'num_attention_heads': 2,
    }
    text = small | {'vocab_size': len(words), 'bos_token_id': 1, 'eos_token_id': 2}
    vision = small | {'image_size': 64, 'patch_size': 16}
    config = transformers.OwlViTConfig(
        text | {'max_position_embeddings': 16}, vision, projection_dim=16
    )
    transformers.OwlViTForObjectDetection(config).save_pretrained(folder)
    tokenizer = transformers.CLIPTokenizer(
        str(folder / 'vocab.json'), str(folder / 'merges.txt'), model_max_length=16
    )
    size = {'height': 64, 'width': 64}
    images = transformers.OwlViTImageProcessor(size=size, do_center_crop=False)
    transformers.OwlViTProcessor(images, tokenizer).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope='module')
def grounding_dino(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random Grounding DINO that reads with a random BERT of letters."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp('grounding_dino')
    small: dict[str, Any] = {'num_attention_heads': 2, 'num_hidden_layers': 1}
    text = small | {'hidden_size': 16, 'intermediate_size': 16, 'vocab_size': 64}
    config = transformers.GroundingDinoConfig(
        backbone_config=transformers.ResNetConfig(
            embedding_size=8,
            hidden_sizes=[8, 8, 16, 16],
            depths=[1, 1, 1, 1],
            layer_type='basic',
            out_features=['stage2', 'stage3', 'stage4'],
        ),
        use_pretrained_backbone=False,
        text_config={'model_type': 'bert', **text},
        d_model=32,
        encoder_layers=1,
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_layers=1,
        decoder_ffn_dim=16,
        decoder_attention_heads=2,
        num_queries=12,
    )
    model = transformers.GroundingDinoForObjectDetection(config)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    letters = [chr(number) for number in range(ord('a'), ord('z') + 1)]
    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '.', 'cat', *letters]
    words += [f'##{letter}' for letter in letters]
    (folder / 'vocab.txt').write_text('\n'.join(words))
    tokenizer = transformers.BertTokenizerFast(str(folder / 'vocab.txt'))
    size = {'shortest_edge': 64, 'longest_edge': 96}
    images = transformers.GroundingDinoImageProcessor(size=size)
    transformers.GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
    return str(folder)


def _teacher(model: str, **arguments: Any) -> Teacher:
    config = {'type': 'mmcompose.HuggingFaceTeacher', 'model': model, 'device': 'cpu'}
    return build(TEACHERS, {**config, **arguments}, 'composition.teachers.hub')


def test_a_saved_folder_is_a_teacher(rt_detr: str, make_images: Callable[..., list[Image]]) -> None:
    images = make_images((80, 60), (120, 50), (80, 60))
    teacher = _teacher(rt_detr)
    assert teacher.classes == ('cat', 'dog', 'tree')
    assert '_model' not in vars(teacher)
    found = teacher.predict(images)
    assert all(len(one) > 0 for one in found)
    # Pixels of the original image, as the library itself says them.
    processor = transformers.AutoImageProcessor.from_pretrained(rt_detr)
    model = transformers.AutoModelForObjectDetection.from_pretrained(rt_detr).eval()
    for image, one in zip(images, found, strict=True):
        inputs = processor(images=image.pixels[..., ::-1].copy(), return_tensors='pt')
        with torch.no_grad():
            (expected,) = processor.post_process_object_detection(
                model(**inputs), threshold=0.01, target_sizes=[(image.height, image.width)]
            )
        limit = np.array([image.width, image.height] * 2)
        boxes = expected['boxes'].numpy().clip(0, limit)
        kept = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        np.testing.assert_allclose(one.boxes, boxes[kept], atol=1e-3)
        np.testing.assert_allclose(one.scores, expected['scores'].numpy()[kept], atol=1e-5)
    assert teacher.architecture == model.config.model_type
    assert teacher.num_parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize('size', [(50, 3), (3, 3), (50, 1)])
def test_the_channels_of_a_low_picture_are_not_its_height(
    rt_detr: str, make_images: Callable[..., list[Image]], size: tuple[int, int]
) -> None:
    (image,) = make_images(size)
    (found,) = _teacher(rt_detr).predict([image])
    processor = transformers.AutoImageProcessor.from_pretrained(rt_detr)
    model = transformers.AutoModelForObjectDetection.from_pretrained(rt_detr).eval()
    pixels = image.pixels[..., ::-1].copy()
    inputs = processor(images=pixels, return_tensors='pt', input_data_format='channels_last')
    with torch.no_grad():
        scores = model(**inputs).logits.sigmoid().flatten().sort(descending=True).values
    np.testing.assert_allclose(found.scores, scores[: len(found)], atol=1e-5)


def test_batches_of_a_processor_that_does_not_pad_say_the_same(
    rt_detr: str, make_images: Callable[..., list[Image]]
) -> None:
    images = make_images((80, 60), (120, 50), (80, 60))
    pairs = zip(
        _teacher(rt_detr).predict(images),
        _teacher(rt_detr, batch_size=3).predict(images),
        strict=True,
    )
    for one, other in pairs:
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-2)


def test_a_zero_shot_model_looks_for_texts(
    owl_vit: str, make_images: Callable[..., list[Image]]
) -> None:
    images = make_images((80, 60), (60, 80))
    teacher = _teacher(owl_vit, texts=['cat', 'traffic light'], score_thr=0.0)
    assert teacher.classes == ('cat', 'traffic light')
    for image, found in zip(images, teacher.predict(images), strict=True):
        assert len(found) > 0
        assert set(found.labels.tolist()) <= {0, 1}
        assert found.boxes.max() <= max(image.width, image.height)


def test_grounding_dino_scores_each_text_by_its_own_tokens(
    grounding_dino: str, make_images: Callable[..., list[Image]]
) -> None:
    images = make_images((80, 60), (60, 80))
    teacher = _teacher(grounding_dino, texts=['fox', 'cat', 'red bus'], score_thr=0.0)
    found = teacher.predict(images)
    processor = transformers.AutoProcessor.from_pretrained(grounding_dino)
    model = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino).eval()
    # [CLS] f o x . cat . r e d b u s . [SEP]
    tokens = [[1, 2, 3], [5], [7, 8, 9, 10, 11, 12]]
    for image, one in zip(images, found, strict=True):
        inputs = processor(
            images=image.pixels[..., ::-1].copy(), text='fox. cat. red bus.', return_tensors='pt'
        )
        assert len(inputs['input_ids'][0]) == 15
        with torch.no_grad():
            outputs = model(**inputs)
        scores = outputs.logits[0].sigmoid()
        expected = torch.stack([scores[:, places].mean(1) for places in tokens], 1).max(1)
        assert len(one) == model.config.num_queries
        np.testing.assert_allclose(one.scores, expected.values, atol=1e-5)
        assert one.labels.tolist() == expected.indices.tolist()
        x, y, width, height = outputs.pred_boxes[0].numpy().T
        left = ((x - width / 2) * image.width).clip(0)
        lower = ((y + height / 2) * image.height).clip(max=image.height)
        np.testing.assert_allclose(one.boxes[:, 0], left, atol=1e-3)
        np.testing.assert_allclose(one.boxes[:, 3], lower, atol=1e-3)
    above = _teacher(grounding_dino, texts=['fox', 'cat', 'red bus'], score_thr=0.5)
    assert [len(one) for one in above.predict(images)] == [
        int((o.scores >= 0.5).sum()) for o in found
    ]


def test_more_texts_than_the_model_reads_are_told(grounding_dino: str) -> None:
    texts = [f'{first}{second}' * 4 for first in 'abcdef' for second in 'ghijkl']
    image = Image('a', 'a.png', 64, 64)
    vars(image)['pixels'] = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(UserError, match=r'texts: are 326 tokens in all, the model reads 256'):
        _teacher(grounding_dino, texts=texts).predict([image])


def test_a_text_that_the_model_cannot_read_is_told(grounding_dino: str, owl_vit: str) -> None:
    image = Image('a', 'a.png', 64, 64)
    vars(image)['pixels'] = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(UserError, match="texts: ' ' has no token"):
        _teacher(grounding_dino, texts=[' ', 'cat']).predict([image])
    with pytest.raises(UserError, match=r"texts: 'a{20}' is 22 tokens, the model reads 16"):
        _teacher(owl_vit, texts=['cat', 'a' * 20]).predict([image])


def test_a_picture_that_is_a_line_is_named(grounding_dino: str) -> None:
    image = Image('a', 'line.png', 4000, 2)
    vars(image)['pixels'] = np.zeros((2, 4000, 3), np.uint8)
    with pytest.raises(UserError, match=r'^line\.png \(4000x2\): cannot be prepared for the model'):
        _teacher(grounding_dino, texts=['cat']).predict([image])


def test_pictures_that_cannot_share_a_batch_are_not_to_blame(
    rt_detr: str, make_images: Callable[..., list[Image]], tmp_path: Path
) -> None:
    folder = tmp_path / 'unpadded'
    shutil.copytree(rt_detr, folder)
    processor = transformers.RTDetrImageProcessor(do_resize=False, do_pad=False)
    processor.save_pretrained(folder)
    images = make_images((64, 64), (96, 64))
    assert len(_teacher(str(folder)).predict(images)) == 2
    expected = r'^batch_size: 2 is too many: the processor does not bring pictures to one shape'
    with pytest.raises(UserError, match=expected):
        _teacher(str(folder), batch_size=2).predict(images)


def test_pickled_weights_are_not_read(rt_detr: str, tmp_path: Path) -> None:
    for file in Path(rt_detr).iterdir():
        if file.suffix == '.json':
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / 'pytorch_model.bin')
    image = Image('a', 'a.png', 8, 8)
    vars(image)['pixels'] = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(UserError, match=r'cannot be loaded .*safetensors'):
        _teacher(str(tmp_path)).predict([image])


def test_mistakes_are_told_with_their_key(tmp_path: Path, rt_detr: str) -> None:
    with pytest.raises(UserError, match=r'^composition\.teachers\.hub\.model: .* is no folder of'):
        _teacher(str(tmp_path))
    with pytest.raises(UserError, match='are the texts where texts are given'):
        _teacher(rt_detr, texts=['a'], classes=['a'])
    with pytest.raises(UserError, match=r'is a rt_detr; texts are for owlvit, owlv2, grounding'):
        _teacher(rt_detr, texts=['a'])
    with pytest.raises(UserError, match='1 names are given, but'):
        image = Image('a', 'a.png', 64, 64)
        vars(image)['pixels'] = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
        _teacher(rt_detr, classes=['cat'], score_thr=0.0).predict([image])


def test_the_version_of_a_hubs_model_is_part_of_what_it_is(
    rt_detr: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {'type': 'mmcompose.HuggingFaceTeacher', 'model': rt_detr, 'device': 'cpu'}
    # A folder is looked at as a whole.
    assert build(TEACHERS, config, 'teacher').identity is None
    load = HuggingFaceTeacher._load
    commit = 'first'

    def from_hub(teacher: Any, kind: str, **options: Any) -> Any:
        loaded = load(teacher, kind, **options)
        loaded._commit_hash = commit
        return loaded

    monkeypatch.setattr(HuggingFaceTeacher, '_load', from_hub)
    before = build(TEACHERS, config, 'teacher').identity
    commit = 'second'
    assert before is not None and build(TEACHERS, config, 'teacher').identity != before
