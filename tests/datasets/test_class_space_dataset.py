"""Tests of ClassSpaceDataset: the three orders of classes are three."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmdet.datasets import CocoDataset, Objects365V1Dataset
from mmdet.registry import DATASETS

from mmcompose.datasets import ClassSpaceDataset
from mmcompose.utils import UserError
from tests import toys


def _dataset(ann_file: str, classes: tuple[str, ...], **more: Any) -> ClassSpaceDataset:
    inner = {
        'type': more.pop('type', 'mmdet.CocoDataset'),
        'ann_file': ann_file,
        'data_prefix': {'img': ''},
        'metainfo': more.pop('metainfo', None),
        'filter_cfg': more.pop('filter_cfg', None),
    }
    dataset = ClassSpaceDataset(inner, classes, **more)
    dataset.full_init()
    return dataset


def _boxes(dataset: ClassSpaceDataset) -> list[dict[str, list[float]]]:
    classes = dataset.metainfo['classes']
    return [
        {
            classes[each['bbox_label']]: [round(x) for x in each['bbox']]
            for each in dataset.get_data_info(index)['instances']
        }
        for index in range(len(dataset))
    ]


@pytest.mark.parametrize(
    'classes', [('green', 'red', 'blue'), ('red', 'blue', 'green'), ('blue', 'green', 'red')]
)
def test_labels_mean_the_students_classes_whatever_the_files_order(
    classes: tuple[str, ...], truth: str, drawn: list[dict[str, Any]]
) -> None:
    dataset = _dataset(truth, classes)
    assert dataset.metainfo['classes'] == classes
    assert _boxes(dataset) == [picture['boxes'] for picture in drawn]


def test_labels_are_right_where_a_dataset_of_mmdet_sorts_categories(
    truth: str, drawn: list[dict[str, Any]]
) -> None:
    dataset = _dataset(truth, toys.STUDENT, type='mmdet.Objects365V1Dataset')
    assert _boxes(dataset) == [picture['boxes'] for picture in drawn]


def test_a_dataset_that_orders_classes_in_another_way_is_refused(
    truth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reversed(Objects365V1Dataset):
        def load_data_list(self) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = super().load_data_list()
            self.cat_ids = self.cat_ids[::-1]
            return found

    monkeypatch.setitem(DATASETS.module_dict, 'Reversed', Reversed)
    line = r"type: 'Reversed' loads 3 classes in the order blue, green, red, .* red, green, blue;"
    with pytest.raises(UserError, match=line):
        _dataset(truth, toys.STUDENT, type='mmdet.Reversed')


@pytest.mark.parametrize('wrapper', ['RepeatDataset', 'ConcatDataset'])
def test_a_wrapper_of_a_coco_json_stands_around_and_not_within(wrapper: str, truth: str) -> None:
    """Nobody would name the classes of the json in the file's order."""
    one = {'type': 'mmdet.CocoDataset', 'ann_file': truth, 'data_prefix': {'img': ''},
           'metainfo': {'classes': toys.STUDENT}}  # fmt: skip
    inner = {'times': 2, 'dataset': one} if wrapper == 'RepeatDataset' else {'datasets': [one]}
    line = rf"^ClassSpaceDataset\.dataset\.type: '{wrapper}' wraps a COCO json"
    with pytest.raises(UserError, match=line):
        ClassSpaceDataset({'type': wrapper, **inner}, toys.STUDENT)


def test_a_subset_of_the_files_classes_in_another_order_means_the_same(
    truth: str, drawn: list[dict[str, Any]]
) -> None:
    dataset = _dataset(truth, toys.STUDENT, metainfo={'classes': ('green', 'blue')})
    expected = [
        {name: box for name, box in picture['boxes'].items() if name != 'red'} for picture in drawn
    ]
    assert _boxes(dataset) == expected


@pytest.mark.parametrize('key', ['ignore', 'iscrowd'])
def test_what_the_file_ignores_is_flagged_where_it_is_evaluated_on(
    truth: str, key: str, tmp_path: Path
) -> None:
    content = json.loads(Path(truth).read_text())
    content['annotations'][0][key] = 1
    path = tmp_path / 'ignored.json'
    path.write_text(json.dumps(content))
    inner = {'type': 'CocoDataset', 'ann_file': str(path), 'data_prefix': {'img': ''}}
    dataset = ClassSpaceDataset({**inner, 'test_mode': True}, toys.STUDENT)
    flags = [
        each['ignore_flag']
        for index in range(len(dataset))
        for each in dataset.get_data_info(index)['instances']
    ]
    assert (len(flags), sum(flags)) == (len(content['annotations']), 1)


def test_a_name_that_is_missing_in_the_file_is_told_with_the_nearest(truth: str) -> None:
    with pytest.raises(UserError) as caught:
        _dataset(truth, toys.STUDENT, metainfo={'classes': ('gren', 'red')})
    (line,) = caught.value.lines
    assert line.startswith('ClassSpaceDataset.dataset.metainfo.classes: ')
    assert line.endswith("did you mean 'green'?")


def test_aliases_name_the_students_classes(
    tmp_path: Path, drawn: list[dict[str, Any]], truth: str
) -> None:
    dataset = _dataset(truth, ('azure', 'red', 'green'), aliases=[{'azure': ['blue']}])
    expected = [{'azure' if n == 'blue' else n: b for n, b in p['boxes'].items()} for p in drawn]
    assert _boxes(dataset) == expected


def test_classes_that_the_student_lacks_lose_their_boxes_but_not_their_images(
    truth: str, drawn: list[dict[str, Any]]
) -> None:
    dataset = _dataset(truth, ('red',))
    assert len(dataset) == len(drawn)
    assert [set(each) for each in _boxes(dataset)[:4]] == [{'red'}, {'red'}, {'red'}, set()]


def test_a_mapping_goes_before_names(truth: str) -> None:
    dataset = _dataset(truth, ('warm', 'green'), mapping={'red': 'warm', 'blue': None})
    assert set(_boxes(dataset)[0]) == {'warm', 'green'}


def test_a_class_that_the_student_lacks_can_be_an_error(truth: str) -> None:
    with pytest.raises(UserError, match=r'^ClassSpaceDataset: .*blue'):
        _dataset(truth, ('red', 'green'), on_unmapped='error')


def test_no_class_may_be_labeled_in_every_image(truth: str) -> None:
    dataset = _dataset(truth, toys.STUDENT, covered_classes=[])
    dataset.check_classes()
    assert dataset.covered_classes == ()


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        ({'mapping': {'gren': 'red'}},
         "ClassSpaceDataset.mapping: 'gren' is not a class of the data set; did you mean 'green'?"),
        ({'mapping': {'green': 'rot'}},
         "ClassSpaceDataset.mapping.green: 'rot' is not a class of the student"),
        ({'on_unmapped': 'dropp'}, "ClassSpaceDataset.on_unmapped: 'dropp' is neither"),
        ({'covered_classes': 'red'},
         "ClassSpaceDataset.covered_classes: 'red' is no list of class names"),
    ],
)  # fmt: skip
def test_a_mistake_names_the_data_sets_own_key(
    arguments: dict[str, Any], says: str, truth: str
) -> None:
    with pytest.raises(UserError) as caught:
        _dataset(truth, toys.STUDENT, **arguments)
    assert str(caught.value).startswith(says)


def test_a_missing_annotation_file_is_told_with_the_nearest(truth: str) -> None:
    with pytest.raises(UserError) as caught:
        _dataset(truth.replace('truth.json', 'trut.json'), toys.STUDENT)
    assert caught.value.lines[0].endswith(f"did you mean '{truth}'?")


def test_an_argument_that_would_have_no_effect_is_refused(truth: str) -> None:
    with pytest.raises(TypeError, match='indices'):
        _dataset(truth, toys.STUDENT, indices=3)


def test_a_subset_has_the_labels_of_its_pictures(truth: str) -> None:
    whole = _dataset(truth, ('green', 'red', 'blue'))
    boxes = _boxes(whole)
    assert _boxes(whole.get_subset([2, 0])) == [boxes[2], boxes[0]]
    whole.get_subset_(-2)
    assert _boxes(whole) == boxes[-2:]


def _standard(folder: Path, drawn: list[dict[str, Any]], **metainfo: Any) -> dict[str, Any]:
    """Write a file in OpenMMLab's standard form, and return the config of its dataset."""
    names = ('blue', 'green', 'red')
    pictures = [
        {
            'img_path': picture['file_name'],
            'height': 64,
            'width': 96,
            'instances': [
                {'bbox': box, 'bbox_label': names.index(name), 'ignore_flag': 0}
                for name, box in picture['boxes'].items()
            ],
        }
        for picture in drawn
    ]
    path = folder / 'standard.json'
    path.write_text(json.dumps({'metainfo': metainfo, 'data_list': pictures}))
    return {'type': 'BaseDetDataset', 'ann_file': str(path), 'data_prefix': {'img_path': ''}}


def test_class_names_of_a_file_in_the_standard_form_are_read(
    tmp_path: Path, drawn: list[dict[str, Any]]
) -> None:
    config = _standard(tmp_path, drawn, classes=['blue', 'green', 'red'])
    assert _boxes(ClassSpaceDataset(config, toys.STUDENT)) == [each['boxes'] for each in drawn]


def test_a_file_that_names_no_classes_is_refused(
    tmp_path: Path, drawn: list[dict[str, Any]]
) -> None:
    dataset = ClassSpaceDataset(_standard(tmp_path, drawn), toys.STUDENT)
    with pytest.raises(UserError, match=r"dataset\.type: 'BaseDetDataset' names no classes"):
        dataset.check_classes()


def test_a_file_that_would_name_the_classes_and_is_missing_is_one_line(tmp_path: Path) -> None:
    config = {'type': 'BaseDetDataset', 'ann_file': str(tmp_path / 'none.json')}
    with pytest.raises(UserError, match=r"ann_file: '.*none\.json' cannot be read by BaseDet"):
        ClassSpaceDataset(config, toys.STUDENT).check_classes()


def test_whatever_a_dataset_makes_of_a_broken_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / 'broken.json'
    path.write_text('{"metainfo": {}, "data_list": [{}]}')
    config = {'type': 'BaseDetDataset', 'ann_file': str(path), 'data_prefix': {'img_path': 'a'}}
    with pytest.raises(UserError, match=r"ann_file: '.*broken\.json' cannot be read by BaseDet"):
        ClassSpaceDataset(config, toys.STUDENT).check_classes()


def test_the_type_of_a_labeled_dataset_may_be_a_class(
    truth: str, drawn: list[dict[str, Any]]
) -> None:
    dataset = _dataset(truth, toys.STUDENT, type=CocoDataset)
    assert _boxes(dataset) == [picture['boxes'] for picture in drawn]


def test_the_classes_are_known_without_the_annotation_file() -> None:
    """MMDet's inferencer builds a test set for its metainfo alone."""
    inner = {'type': 'CocoDataset', 'ann_file': 'gone.json', 'data_prefix': {'img': ''}}
    dataset = DATASETS.build(
        {'type': 'mmcompose.ClassSpaceDataset', 'dataset': inner, 'classes': toys.STUDENT}
    )
    assert dataset.metainfo['classes'] == toys.STUDENT
