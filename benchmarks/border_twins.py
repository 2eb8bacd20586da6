"""Healthy twins of the cases of benchmarks/border.py: each passes, right and without warnings."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from PIL import Image as PILImage

import mmcompose.engine  # noqa: F401  (registers everything)
from mmcompose.class_space import ClassSpace, spelled_alike
from mmcompose.datasets import ClassSpaceDataset, UnlabeledImages, images_of
from mmcompose.registry import TEACHERS, build
from mmcompose.structures import Detections, Image
from mmcompose.teachers.decoders import make_decoder
from mmcompose.teachers.preprocess import Preprocess

SIZE = (96, 64)
BOX = [60, 10, 90, 30]
# The same box, as YOLO has it.
LINE = '0 0.78125 0.3125 0.3125 0.3125 0.55\n'
CATEGORIES = [{'id': 1, 'name': 'spot'}]
RESULT = {'image_id': 1, 'category_id': 1, 'bbox': [60, 10, 30, 20], 'score': 0.9}


def warnings_of(action: Callable[[], None]) -> list[str]:
    """Return what is logged as a warning meanwhile."""
    told: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        action()
    finally:
        logger.removeHandler(handler)
    return told


def _picture(path: Path, size: tuple[int, int] = SIZE) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), 60, np.uint8))
    return str(path)


def _write(path: Path, content: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def _entry(number: int, name: str, size: tuple[int, int] = SIZE) -> dict[str, Any]:
    return {'id': number, 'file_name': name, 'width': size[0], 'height': size[1]}


def _replay(
    folder: Path, names: list[str], results: list[Any], categories: Any = CATEGORIES, **more: Any
) -> list[Detections]:
    """Write pictures and results, and replay them; return the detections."""
    for name in names:
        _picture(folder / 'pool' / name)
    images = [_entry(number, name) for number, name in enumerate(names, start=1)]
    config = {
        'type': 'mmcompose.COCOResultsTeacher',
        'results': _write(folder / 'r.json', results),
        'images': _write(folder / 'i.json', {'images': images, 'categories': categories}),
    }
    return _ask({**config, **more}, _pool(folder / 'pool'))


def _ask(config: dict[str, Any], images: list[Image]) -> list[Detections]:
    teacher = build(TEACHERS, config, 'teacher')
    teacher.check_pool(images)
    found: list[Detections] = teacher.predict(images)
    return found


def _texts(folder: Path, texts: dict[str, str], names: list[str]) -> list[Detections]:
    for name in names:
        _picture(folder / 'pool' / name)
    for name, text in texts.items():
        _write(folder / 'labels' / name, text)
    config = {
        'type': 'mmcompose.COCOResultsTeacher',
        'results': str(folder / 'labels'),
        'classes': ['spot'],
    }
    return _ask(config, _pool(folder / 'pool'))


def _pool(folder: Path, **more: Any) -> list[Image]:
    dataset = UnlabeledImages(data_prefix={'img': str(folder)}, serialize_data=False, **more)
    images: list[Image] = images_of(dataset)
    for image in images:
        assert image.pixels.size
    return images


def _truth(folder: Path, **changes: Any) -> ClassSpaceDataset:
    _picture(folder / '1.png')
    box = {'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [60, 10, 30, 20], 'area': 600}
    content = {'images': [_entry(1, '1.png')], 'annotations': [box], 'categories': CATEGORIES}
    dataset = ClassSpaceDataset(
        {
            'type': 'mmdet.CocoDataset',
            'ann_file': _write(folder / 'truth.json', {**content, **changes}),
            'data_prefix': {'img': str(folder)},
            'test_mode': True,
            'serialize_data': False,
        },
        ('spot',),
    )
    dataset.full_init()
    assert len(dataset.get_data_info(0)['instances']) == 1
    return dataset


def _decode(name: str, outputs: dict[str, Any], classes: int = 2) -> Detections:
    arrays = {key: np.array(value, np.float32) for key, value in outputs.items()}
    (found,) = make_decoder(name)(arrays, (64, 64), classes)
    assert found.boxes.tolist() == [[10, 10, 50, 50]], found
    return found


def two_folders(folder: Path) -> None:
    """02: both folders were predicted, and listed by another root."""
    results = [RESULT, {**RESULT, 'image_id': 2, 'score': 0.3}]
    one, other = _replay(folder, ['train/1.jpg', 'val/1.jpg'], results)
    assert (one.scores[0], other.scores[0]) == (np.float32(0.9), np.float32(0.3))


def resized_copies(folder: Path) -> None:
    """04: the sizes are those of the pool."""
    (found,) = _replay(folder, ['1.png'], [RESULT])
    assert found.boxes.tolist() == [BOX]


def relative_texts(folder: Path) -> None:
    """06: coordinates are relative, one box ends at the border."""
    (found,) = _texts(folder, {'1.txt': f'{LINE}0 0.95 0.5 0.1 1.0 0.4\n'}, ['1.png'])
    assert len(found) == 2


def texts_with_empty_pictures(folder: Path) -> None:
    """07: each text has its picture; a picture without objects has none."""
    one, other = _texts(folder, {'1.txt': LINE}, ['1.png', '2.png'])
    assert (len(one), len(other), other.asked) == (1, 0, True)


def one_spelling(folder: Path) -> None:
    """08: both teachers write the class alike, and know others of their own."""
    del folder
    assert spelled_alike(ClassSpace({'a': ['person', 'car'], 'b': ['person', 'cart']})) == []


def plain_folder(folder: Path) -> None:
    """09: sub-folders, and files that are no pictures beside them."""
    _write(folder / 'notes.json', '{}')
    _picture(folder / 'a/1.png')
    assert [image.key for image in _pool(folder)] == ['a/1.png']


def _with_exif(folder: Path, kind: str, **options: Any) -> tuple[int, int]:
    pixels = PILImage.fromarray(np.full((64, 96, 3), 60, np.uint8))
    pixels.save(folder / f'1.{kind}', **options)
    (image,) = _pool(folder)
    return image.width, image.height


def sound_exif(folder: Path) -> None:
    """10: a PNG with a sound Exif block."""
    exif = PILImage.Exif()
    exif[0x0112] = 6
    assert _with_exif(folder, 'png', exif=exif) == (64, 96)


def large_picture(folder: Path) -> None:
    """11: a picture under Pillow's limit."""
    PILImage.new('L', (4000, 3000)).save(folder / '1.png')
    assert [(image.width, image.height) for image in _pool(folder)] == [(4000, 3000)]


def upright_tiff(folder: Path) -> None:
    """12: a TIFF that is not turned."""
    assert _with_exif(folder, 'tif', tiffinfo={0x0112: 1}) == (96, 64)


def truth_with_areas(folder: Path) -> None:
    """14: each box has its area."""
    _truth(folder)


def truth_of_more_classes(folder: Path) -> None:
    """15: the file labels the student's class, and another."""
    _truth(folder, categories=[*CATEGORIES, {'id': 2, 'name': 'stripe'}])


def _checkpoint(folder: Path, meta: Any, classes: Any) -> None:
    from mmcompose.teachers.mmdet.model import build_model
    from tests.teachers.conftest import CONFIG

    config = _write(folder / 'c.py', CONFIG)
    torch.manual_seed(0)
    model = build_model(Config.fromfile(config))
    path = folder / 'c.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {'dataset_meta': meta}}, path)
    teacher = {'type': 'mmcompose.MMDetTeacher', 'config': config, 'checkpoint': str(path)}
    teacher |= {'device': 'cpu', 'classes': classes}
    assert build(TEACHERS, teacher, 'teacher').classes == tuple(classes or ('cat', 'dog', 'tree'))


def translated_classes(folder: Path) -> None:
    """16: the checkpoint's classes under other names, in their order."""
    _checkpoint(folder, {'classes': ('cat', 'dog', 'tree')}, ['Katze', 'Hund', 'Baum'])


def one_class_end_to_end(folder: Path) -> None:
    """17: (1, N, 6) of one class, as x1 y1 x2 y2 score label."""
    del folder
    _decode('ultralytics', {'o': [[[10, 10, 50, 50, 0.9, 0], [0] * 6]]}, 1)


def float_model(folder: Path) -> None:
    """18: a model of floats takes normalised pixels, one of bytes takes them as they are."""
    del folder
    Preprocess.of({'std': [255.0]}).check_dtype(np.float32, 'model')
    Preprocess.of({'bgr_to_rgb': True}).check_dtype(np.uint8, 'model')


def boxes_in_pixels(folder: Path) -> None:
    """19: boxes in pixels, one of them small and in the corner."""
    corner = {**RESULT, 'bbox': [0, 0, 1, 1]}
    (found,) = _replay(folder, ['1.png'], [RESULT, corner])
    assert len(found) == 2


def placeholders(folder: Path) -> None:
    """21: one placeholder among names."""
    del folder
    space = ClassSpace({'detr': ['N/A', 'person', 'car']})
    assert space.classes == ('person', 'car')


def rows_with_file_names(folder: Path) -> None:
    """22: each row's file name is that of its image."""
    rows = [{**RESULT, 'image_id': n, 'file_name': f'000{n}.jpg'} for n in (1, 2)]
    assert [len(each) for each in _replay(folder, ['0001.jpg', '0002.jpg'], rows)] == [1, 1]


def texts_with_scores(folder: Path) -> None:
    """23: the sixth column holds scores, one of them 1."""
    (found,) = _texts(folder, {'1.txt': f'{LINE}0 0.5 0.5 0.2 0.2 1\n'}, ['1.png'])
    assert found.scores.tolist() == [np.float32(0.55), 1]


def distinct_ids(folder: Path) -> None:
    """24: joined with new ids, of which the numbers have gaps."""
    categories = [{'id': 7, 'name': 'dog'}, *CATEGORIES]
    found = _replay(folder, ['a.jpg', 'b.jpg'], [RESULT], categories)
    assert [len(each) for each in found] == [1, 0]


def list_files(folder: Path) -> None:
    """25: a list in UTF-8, and a json with file names."""
    _picture(folder / 'pool/1.png')
    names = [
        _write(folder / 'list.txt', '1.png\r\n'),
        _write(folder / 'list.json', {'images': [_entry(1, '1.png')]}),
    ]
    for name in names:
        assert len(_pool(folder / 'pool', ann_file=name)) == 1


def names_of_the_head(folder: Path) -> None:
    """26: as many names as the head tells classes apart, two of them placeholders."""
    from transformers import DetrConfig

    names = {0: 'N/A', 1: 'cat', 2: 'N/A', 3: 'dog'}
    config = DetrConfig(id2label=names, label2id={}, use_timm_backbone=False, backbone=None)
    config.save_pretrained(folder / 'model')
    teacher = {'type': 'mmcompose.HuggingFaceTeacher', 'model': str(folder / 'model')}
    assert build(TEACHERS, {**teacher, 'device': 'cpu'}, 'teacher').classes == tuple(names.values())


def one_meta(folder: Path) -> None:
    """27: the checkpoint holds one dict of metas."""
    _checkpoint(folder, {'classes': ('cat', 'dog', 'tree')}, None)


def sound_outputs(folder: Path) -> None:
    """28: each format as its exporter writes it."""
    del folder
    box = [10, 10, 50, 50]
    _decode('ultralytics', {'o': [[[*box, 0.6, 1]]]})
    _decode('detr', {'labels': [[1]], 'boxes': [[box]], 'scores': [[0.9]]})
    _decode('mmdeploy', {'dets': [[[*box, 0.9]]], 'labels': [[1]]})


def annotated_root(folder: Path) -> None:
    """29: a category that groups others, and has results of its own."""
    categories = [
        {'id': 0, 'name': 'marks', 'supercategory': 'none'},
        {**CATEGORIES[0], 'supercategory': 'marks'},
    ]
    (found,) = _replay(folder, ['1.png'], [RESULT, {**RESULT, 'category_id': 0}], categories)
    assert found.labels.tolist() == [1, 0]


TWINS: dict[str, Callable[[Path], None]] = {
    '02': two_folders,
    '04': resized_copies,
    '06': relative_texts,
    '07': texts_with_empty_pictures,
    '08': one_spelling,
    '09': plain_folder,
    '10': sound_exif,
    '11': large_picture,
    '12': upright_tiff,
    '14': truth_with_areas,
    '15': truth_of_more_classes,
    '16': translated_classes,
    '17': one_class_end_to_end,
    '18': float_model,
    '19': boxes_in_pixels,
    '21': placeholders,
    '22': rows_with_file_names,
    '23': texts_with_scores,
    '24': distinct_ids,
    '25': list_files,
    '26': names_of_the_head,
    '27': one_meta,
    '28': sound_outputs,
    '29': annotated_root,
}
