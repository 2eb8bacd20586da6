"""Tests of the export formats: another reader finds every box where it was."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest
import supervision
import yaml
from pycocotools import mask as mask_tools
from pycocotools.coco import COCO

from mmcompose.store.exports import FORMATS, export
from mmcompose.store.exports.corrections import read_corrections
from mmcompose.structures import Detections, Image, encode_masks
from mmcompose.utils import UserError
from tests import other_tools, toys

# Names that mean something to XML, YAML and HTML.
CLASSES = ('traffic light', 'a "quoted" & <b>bold</b> one', "O'Brien: #1")


@pytest.fixture
def images(tmp_path: Path) -> list[Image]:
    """Pictures in two folders, the last without a box."""
    toys.draw(tmp_path / 'pool' / 'more', 3)
    listed = []
    for path in sorted((tmp_path / 'pool').rglob('*.png')):
        listed.append(Image(str(path.relative_to(tmp_path / 'pool')), str(path), 96, 64))
    return listed


@pytest.fixture
def labels() -> list[Detections]:
    found = toys.random_detections(
        1,
        6,
        ignore=np.array([0, 1, 0, 0, 1, 0], bool),
        votes=np.array([[1, 0], [1, 1], [0, 1], [1, 1], [1, 0], [0, 1]], bool),
        spread=np.full(6, 0.25, np.float32),
    )
    return [found, found[:2], found[:0]]


def _export(to: str, images: list[Image], labels: list[Detections], folder: Path) -> Path:
    return export(to, images, labels, CLASSES, ['one', 'two'], folder / FORMATS[to].default)


def _same(boxes: np.ndarray, labels: np.ndarray, found: Detections, pixels: float = 0.01) -> None:
    """Check that boxes and labels are those of ``found``, in any order."""
    assert len(boxes) == len(found)
    here = np.lexsort((*np.asarray(boxes).T.round(2), labels))
    there = np.lexsort((*found.boxes.T.round(2), found.labels))
    np.testing.assert_allclose(np.asarray(boxes)[here], found.boxes[there], atol=pixels)
    np.testing.assert_array_equal(np.asarray(labels)[here], found.labels[there])


def test_coco(images: list[Image], labels: list[Detections], tmp_path: Path) -> None:
    read = COCO(str(_export('coco', images, labels, tmp_path)))
    names = {each['id']: each['name'] for each in read.loadCats(read.getCatIds())}
    for number, found in enumerate(labels, start=1):
        rows = read.loadAnns(read.getAnnIds(number))
        boxes = np.array([row['bbox'] for row in rows]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        found_labels = np.array([CLASSES.index(names[row['category_id']]) for row in rows], int)
        _same(boxes, found_labels, found)
        assert sum(row['iscrowd'] for row in rows) == found.is_ignored.sum()
        assert [len(row['votes']) for row in rows] == found.votes.sum(axis=1).tolist()


def test_yolo(images: list[Image], labels: list[Detections], tmp_path: Path) -> None:
    folder = _export('yolo', images, labels, tmp_path)
    read = supervision.DetectionDataset.from_yolo(
        str(folder / 'images' / 'more'), str(folder / 'labels' / 'more'), str(folder / 'data.yaml')
    )
    assert tuple(read.classes) == CLASSES
    assert len(read) == 3
    for (path, pixels, boxes), found in zip(read, labels, strict=True):
        assert pixels.shape == (64, 96, 3) and 'images' in path
        _same(boxes.xyxy, boxes.class_id, found.kept())


def test_voc(images: list[Image], labels: list[Detections], tmp_path: Path) -> None:
    folder = _export('voc', images, labels, tmp_path)
    read = supervision.DetectionDataset.from_pascal_voc(
        str(tmp_path / 'pool' / 'more'), str(folder / 'Annotations' / 'more')
    )
    for (_, _, boxes), found in zip(read, labels, strict=True):
        names = [read.classes[label] for label in boxes.class_id]
        _same(boxes.xyxy, np.array([CLASSES.index(name) for name in names], int), found)
    xml = ElementTree.parse(folder / 'Annotations' / 'more' / '000.xml').getroot()
    assert [each.findtext('difficult') for each in xml.iter('object')] == list('010010')


def test_parquet(images: list[Image], labels: list[Detections], tmp_path: Path) -> None:
    rows = pq.read_table(_export('parquet', images, labels, tmp_path)).to_pylist()
    assert len(rows) == 8
    first = [row for row in rows if row['image'] == 'more/000.png']
    boxes = np.array([[row[side] for side in ('x1', 'y1', 'x2', 'y2')] for row in first])
    _same(boxes, np.array([CLASSES.index(row['class']) for row in first]), labels[0], 1e-6)
    votes = [['one'], ['one', 'two'], ['two'], ['one', 'two'], ['one'], ['two']]
    assert [row['votes'] for row in first] == votes
    assert first[0]['weight'] is None and first[0]['spread'] == 0.25


def test_parquet_has_all_that_is_known_of_a_box(images: list[Image], tmp_path: Path) -> None:
    bitmaps = np.zeros((2, 64, 96), bool)
    bitmaps[0, 5:20, 10:30] = bitmaps[0, 20:30, 15:20] = True
    found = toys.random_detections(
        0,
        2,
        masks=encode_masks(bitmaps),
        best_score=np.array([0.5, 0.75], np.float32),
        cluster_size=np.array([3, 1]),
        weights=np.array([0.5, 1], np.float32),
    )
    first, second = pq.read_table(_export('parquet', images[:1], [found], tmp_path)).to_pylist()
    rle = {'size': [first['height'], first['width']], 'counts': first['mask']}
    np.testing.assert_array_equal(mask_tools.decode(rle), bitmaps[0])
    assert second['mask'] is None
    assert [first['best_score'], first['cluster_size'], first['weight']] == [0.5, 3, 0.5]


@pytest.mark.parametrize('to', FORMATS)
def test_masks_that_a_format_does_not_hold_are_counted(
    to: str, images: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.store.exports.formats.warn', told.append)
    masks = encode_masks(np.arange(3 * 64 * 96).reshape(3, 64, 96) < 2 * 64 * 96)
    found = toys.random_detections(0, 3, masks=masks)
    path = _export(to, images[:2], [found, found], tmp_path)
    lost = [f'4 masks are not in {path}: {to} holds boxes alone; coco and parquet hold masks']
    assert told == ([] if to in ('coco', 'parquet') else lost)
    _export(to, images[:1], [replace(found, masks=None)], tmp_path)
    assert len(told) < 2


def test_label_studio(
    images: list[Image],
    labels: list[Detections],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As a config names a pool: Label Studio knows nothing of this process's working directory.
    paths = [str(Path(image.path).resolve()) for image in images]
    monkeypatch.chdir(tmp_path)
    for image in images:
        image.path = str(Path(image.path).relative_to(tmp_path))
    path = _export('labelstudio', images, labels, tmp_path)
    read = other_tools.read_label_studio(path, CLASSES, tmp_path / 'converted')
    assert list(read) == paths
    for each, found in zip(read.values(), labels, strict=True):
        _same(each.boxes, each.labels, found)
    first, *_ = json.loads(path.read_text())
    results = first['predictions'][0]['result']
    assert [each['score'] for each in results] == labels[0].scores.tolist()
    notes = [each['meta']['text'] for each in results[:2]]
    assert notes == [['found by one'], ['found by one and two', 'ignored']]


def test_label_studio_finds_a_file_whose_name_is_not_unicode(
    labels: list[Detections], tmp_path: Path
) -> None:
    image = Image('caf.png', os.fsdecode(os.fsencode(tmp_path) + b'/caf\xe9.png'), 96, 64)
    path = _export('labelstudio', [image], labels[:1], tmp_path)
    (task,) = json.loads(path.read_text())
    assert task['data']['image'].endswith('/caf%E9.png')


@pytest.mark.parametrize('to', FORMATS)
@pytest.mark.parametrize('name', [b'caf\xe9.png', b'bell\x07.png'])
def test_names_that_no_text_holds(
    to: str, name: bytes, images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    path = os.fsdecode(os.fsencode(tmp_path / 'pool') + b'/' + name)
    Path(images[0].path).rename(path)
    first = Image(os.fsdecode(name), path, images[0].width, images[0].height)
    pool = [first, *images[1:]]
    if to not in ('voc', 'cvat') and (to, name[:3]) != ('parquet', b'caf'):
        # A second time, by the list of the first.
        for _ in range(2):
            assert _export(to, pool, labels, tmp_path).exists()
        return
    with pytest.raises(UserError, match=r'^to: .* has a character that the format cannot hold'):
        _export(to, pool, labels, tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {'pool'}


def test_cvat(images: list[Image], labels: list[Detections], tmp_path: Path) -> None:
    path = _export('cvat', images, labels, tmp_path)
    (tmp_path / 'images').symlink_to(tmp_path / 'pool')
    _same_in_datumaro('cvat', path, [image.key for image in images], labels)
    votes = ElementTree.parse(path).iterfind('image/box/attribute[@name="votes"]')
    assert [each.text for each in votes][:3] == ['one', 'one, two', 'two']


def _same_in_datumaro(form: str, path: Path, keys: list[str], labels: list[Detections]) -> None:
    read = other_tools.read_datumaro(form, path, CLASSES)
    assert sorted(read) == [key.removesuffix('.png') for key in keys]
    for name, found in zip(sorted(read), labels, strict=True):
        each = read[name]
        _same(each.boxes, each.labels, found)
        assert each.is_ignored.sum() == found.is_ignored.sum()
        if form != 'yolo':
            np.testing.assert_allclose(sorted(each.scores), sorted(found.scores), atol=1e-4)


def test_datumaro_reads_coco_and_yolo_too(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    # It finds a COCO file, and its pictures, by names and folders as COCO's own have them.
    (tmp_path / 'images').symlink_to(tmp_path / 'pool')
    out = tmp_path / 'annotations' / 'instances_all.json'
    export('coco', images, labels, CLASSES, out=out)
    _same_in_datumaro('coco', tmp_path, [image.key for image in images], labels)
    folder = _export('yolo', images, labels, tmp_path)
    kept = [each.kept() for each in labels]
    _same_in_datumaro('yolo', folder, [Path(image.key).name for image in images], kept)


def test_fiftyone(images: list[Image], labels: list[Detections], tmp_path: Path) -> None:
    """As its documentation has it; FiftyOne itself does not stand beside our OpenCV."""
    folder = _export('fiftyone', images, labels, tmp_path)
    content = json.loads((folder / 'labels.json').read_text())
    assert tuple(content['classes']) == CLASSES
    assert list(content['labels']) == ['more/000', 'more/001', 'more/002']
    for (stem, rows), image, found in zip(content['labels'].items(), images, labels, strict=True):
        assert (folder / 'data' / f'{stem}.png').resolve() == Path(image.path).resolve()
        boxes = np.array([row['bounding_box'] for row in rows]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        numbers = np.array([row['label'] for row in rows], int)
        _same(boxes * [96, 64, 96, 64], numbers, found)
        assert [row['confidence'] for row in rows] == found.scores.tolist()
    first = [row['attributes'] for row in content['labels']['more/000']]
    assert [each['ignored'] for each in first] == labels[0].is_ignored.tolist()
    assert [each['votes'] for each in first][:3] == [['one'], ['one', 'two'], ['two']]
    images[1].path = 's3://bucket/more/001.png'
    with pytest.raises(UserError, match=r's3://.* is no local file: readers of fiftyone know no'):
        _export('fiftyone', images, labels, tmp_path / 'again')
    assert not (tmp_path / 'again').exists()


@pytest.mark.parametrize('bucket', ['memory://bucket/pool', 's3:///bucket'])
def test_pictures_of_object_storage_are_named_from_where_they_differ(
    bucket: str,
    images: list[Image],
    labels: list[Detections],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr('mmcompose.store.exports.yolo.warn', told.append)
    for image, name in zip(images, ('a/000.png', 'a/001.png', 'b/images/000.png'), strict=True):
        image.key = image.path = f'{bucket}/{name}'
    folder = _export('yolo', images, labels, tmp_path)
    texts = sorted(str(path.relative_to(folder)) for path in folder.rglob('*.txt'))
    assert texts == ['labels/a/000.txt', 'labels/a/001.txt', 'labels/b/images_/000.txt']
    assert len(told) == 1 and told[0].startswith('3 of 3 pictures are no local files')
    seen, found = read_corrections('yolo', str(folder), images, CLASSES)
    assert [image.key for image in seen] == [image.key for image in images]
    _same(found[1].boxes, found[1].labels, labels[1].kept())
    voc = _export('voc', images, labels, tmp_path)
    assert (voc / 'Annotations' / 'b' / 'images' / '000.xml').is_file()


@pytest.mark.parametrize('to', [name for name, each in FORMATS.items() if each.is_folder])
def test_a_folder_of_other_files_is_left_as_it_is(
    to: str, images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    # A data set in YOLO's layout: an export into it would replace its pictures by links.
    mine = tmp_path / FORMATS[to].default
    shutil.copytree(tmp_path / 'pool', mine / 'images')
    for image in images:
        image.path = str(mine / 'images' / image.key)
    before = toys.files_below(mine)
    with pytest.raises(UserError, match=f'out: .* is no folder that an export to {to} made'):
        _export(to, images, labels, tmp_path)
    assert toys.files_below(mine) == before


def test_an_export_is_made_again_and_of_itself(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    folder = _export('yolo', images, labels, tmp_path)
    pictures = [Path(image.path).read_bytes() for image in images]
    for image in images:
        image.path = str(folder / 'images' / image.key)
    _export('yolo', images, labels[::-1], tmp_path)
    assert [Path(image.path).read_bytes() for image in images] == pictures
    assert (folder / 'labels' / 'more' / '000.txt').read_text() == ''


@pytest.mark.parametrize('to', [name for name, each in FORMATS.items() if each.is_folder])
def test_nothing_of_an_export_of_other_pictures_stays(
    to: str, images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    """Its class numbers may mean other classes."""
    folder = _export(to, images, labels, tmp_path)
    mine = [folder / name / 'mine.txt' for name in ('notes', 'labels', 'images/val')]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('mine')
    _export(to, images[1:], labels[1:], tmp_path)
    assert all(path.read_text() == 'mine' for path in mine)
    again = {name for name in toys.files_below(folder) if not name.endswith('mine.txt')}
    shutil.rmtree(folder)
    _export(to, images[1:], labels[1:], tmp_path)
    assert again == set(toys.files_below(folder))


@pytest.mark.parametrize('to', [name for name, each in FORMATS.items() if each.is_folder])
def test_nothing_of_an_export_that_was_killed_stays(
    to: str, images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    class KilledAtTheLast(list[Detections]):
        def __getitem__(self, row: Any) -> Any:
            if row == 2:
                raise KeyboardInterrupt
            return super().__getitem__(row)

    with pytest.raises(KeyboardInterrupt):
        _export(to, images, KilledAtTheLast(labels), tmp_path)
    folder = _export(to, images[1:], labels[1:], tmp_path)
    again = set(toys.files_below(folder))
    shutil.rmtree(folder)
    _export(to, images[1:], labels[1:], tmp_path)
    assert again == set(toys.files_below(folder))


@pytest.mark.parametrize(
    ('to', 'whole'), [('yolo', 'data.yaml'), ('voc', 'classes.txt'), ('fiftyone', 'labels.json')]
)
def test_an_export_over_another_that_was_killed_does_not_read_as_whole(
    to: str, whole: str, images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    class Killed(list[Detections]):
        def __getitem__(self, row: Any) -> Any:
            raise KeyboardInterrupt

    folder = _export(to, images, labels, tmp_path)
    assert (folder / whole).is_file()
    with pytest.raises(KeyboardInterrupt):
        _export(to, images, Killed(labels), tmp_path)
    assert not (folder / whole).exists()


def test_a_yolo_export_made_again_leaves_nothing_that_tools_derived_of_the_old_labels(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    folder = _export('yolo', images, labels, tmp_path)
    names = ('labels.cache', 'labels/more.cache', 'labels/more/a.cache', 'labels/classes.txt')
    derived = [folder / name for name in names]
    (folder / 'labels' / 'folder.cache').mkdir()
    for path in derived:
        path.write_text('of the old labels')
    _export('yolo', images, labels[::-1], tmp_path)
    assert not any(path.exists() for path in derived)


def test_yolos_readers_find_text_files_whatever_the_pools_folders_are_called(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    """They look beside the picture, in `labels` for the last `images` of its path."""
    for image in images:
        image.key = f'train/images/{image.key}'
    folder = _export('yolo', images, labels, tmp_path)
    links = sorted(path for path in (folder / 'images').rglob('*') if path.is_symlink())
    assert len(links) == len(images)
    for link in links:
        text = '/labels/'.join(str(link.with_suffix('.txt')).rsplit('/images/', 1))
        assert Path(text).is_file() and Path(text).is_relative_to(folder / 'labels')
    seen, found = read_corrections('yolo', str(folder), images, CLASSES)
    assert [image.key for image in seen] == [image.key for image in images]
    assert len(found[2]) == 0


def test_yolo_keeps_pictures_of_folders_of_like_names_apart(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    for image, folder in zip(images, ('images', 'images_', 'images__'), strict=True):
        image.key = f'{folder}/0.png'
    folder = _export('yolo', images, labels, tmp_path)
    seen, found = read_corrections('yolo', str(folder), images, CLASSES)
    assert [image.key for image in seen] == [image.key for image in images]
    assert list(map(len, found)) == [len(each.kept()) for each in labels]


def test_a_box_thinner_than_a_pixel_is_no_inverted_one_in_voc(
    images: list[Image], tmp_path: Path
) -> None:
    thin = Detections.from_arrays([[10.2, 5, 10.9, 30]], [0.9], [0])
    _export('voc', images[:1], [thin], tmp_path)
    (path,) = (tmp_path / 'voc').rglob('*.xml')
    box = ElementTree.parse(path).find('object/bndbox')
    assert box is not None
    corners = {each.tag: float(each.text or 0) for each in box}
    assert corners['xmin'] <= corners['xmax'] and corners['ymin'] <= corners['ymax']


def test_what_cannot_be_written_is_named(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"to: 'coc' is not one of .*did you mean 'coco'"):
        export('coc', images, labels, CLASSES)
    images[1].key = 'more/000.jpg'
    with pytest.raises(UserError, match=r'more/000.* is the name of 2 pictures'):
        _export('yolo', images, labels, tmp_path)
    images[1].key = '../000.jpg'
    with pytest.raises(UserError, match='does not lie in the folder of its pool'):
        _export('voc', images, labels, tmp_path)
    assert not (tmp_path / 'voc').exists()


@pytest.mark.parametrize('to', FORMATS)
@pytest.mark.parametrize('kind', ['class', 'teacher'])
def test_names_of_classes_and_teachers_that_no_xml_holds(
    to: str, kind: str, images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    classes = ('be\x07ll', *CLASSES[1:]) if kind == 'class' else CLASSES
    teachers = ('be\x07ll', 'b') if kind == 'teacher' else ('a', 'b')
    given = (to, images, labels, classes, teachers, tmp_path / 'out')
    if to in {'class': ('voc', 'cvat', 'labelstudio'), 'teacher': ('cvat',)}[kind]:
        with pytest.raises(UserError, match=rf'^to: .* cannot hold; rename the {kind}$'):
            export(*given)
    else:
        assert export(*given).exists()


def test_names_in_yaml_are_read_back_as_they_are(
    images: list[Image], labels: list[Detections], tmp_path: Path
) -> None:
    classes = ('n\x85l', 'l\u2028s', 't\tb', 'n\xa0b', 'b\x07l', '\ufeffm', 'Stra\xdfe', 'yes', '1')
    path = export('yolo', images, labels, classes, (), tmp_path / 'out') / 'data.yaml'
    text = path.read_text(encoding='utf-8')
    assert tuple(yaml.safe_load(text)['names'].values()) == classes
    assert 'Stra\xdfe' in text
