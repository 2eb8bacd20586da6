"""Tests of DetectionTable: detections through Arrow and back."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mmcompose.store import detection_table, mapped_files
from mmcompose.structures import Detections, encode_masks
from tests.store.toys import mapped
from tests.toys import random_detections

COUNT = 3
MORE = {
    'votes': np.array([[True, False], [True, True], [False, True]]),
    'best_score': np.array([0.1, 0.5, 0.25], np.float32),
    'cluster_size': np.array([1, 2, 7]),
    'spread': np.array([0, 0.5, 0.125], np.float32),
    'ignore': np.array([True, False, True]),
    'weights': np.array([0.25, 1.0, 0.0], np.float32),
}


def test_not_to_be_asked_is_not_to_find_nothing(tmp_path: Path) -> None:
    nothing, not_asked = mapped(tmp_path, [Detections(), Detections(asked=False)])
    assert (nothing.asked, not_asked.asked, len(not_asked)) == (True, False, 0)


@pytest.mark.parametrize('fields', [(), ('ignore',), tuple(MORE)], ids=['plain', 'ignore', 'all'])
def test_every_field_comes_back_as_it_was(tmp_path: Path, fields: tuple[str, ...]) -> None:
    sent = random_detections(0, COUNT, **{name: MORE[name] for name in fields})
    got = mapped(tmp_path, [sent])[0]
    for name in set(Detections.__dataclass_fields__) - {'asked'}:
        one, other = getattr(sent, name), getattr(got, name)
        if one is None:
            assert other is None, name
        else:
            assert one.dtype == other.dtype, name
            np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize('known', [(0, 1, 2), (1,), ()], ids=['of all', 'of one', 'of none'])
def test_what_a_student_learns_from_is_plain_values(tmp_path: Path, known: tuple[int, ...]) -> None:
    more = {name: MORE[name] for name in ('ignore', 'weights')}
    sent = [random_detections(n, COUNT, **(more if n in known else {})) for n in range(3)]
    table = mapped(tmp_path, sent)
    for row, each in enumerate(sent):
        boxes, labels, scores, ignore, weights = table.taught(row)
        assert boxes == each.boxes.tolist() and list(scores) == each.scores.tolist()
        assert list(labels) == each.labels.tolist()
        assert list(ignore) == (more['ignore'].astype(int).tolist() if row in known else [0] * 3)
        assert {*map(type, [*labels, *ignore])} == {int}
        assert weights == (more['weights'].tolist() if row in known else None)


def test_images_without_boxes_stay_between_the_others(tmp_path: Path) -> None:
    sent = [Detections(), random_detections(1, 2), Detections(), random_detections(2, 5)]
    table = mapped(tmp_path, sent)
    assert len(table) == 4
    assert [len(table[row]) for row in range(4)] == [0, 2, 0, 5]
    assert table[0].boxes.shape == (0, 4)
    np.testing.assert_array_equal(table[3].boxes, sent[3].boxes)


def test_an_image_without_boxes_keeps_what_is_known_of_each(tmp_path: Path) -> None:
    none = Detections(votes=np.zeros((0, 2), bool), ignore=np.zeros(0, bool))
    got = mapped(tmp_path, [none])[0]
    assert got.votes is not None and got.votes.shape == (0, 2)
    assert got.ignore is not None and len(got.ignore) == 0


def test_keys_stand_in_the_images_order(tmp_path: Path) -> None:
    assert mapped(tmp_path, [Detections()] * 3).keys == ['0.png', '1.png', '2.png']


def test_only_the_path_travels_to_another_process(tmp_path: Path) -> None:
    table = mapped(tmp_path, [random_detections(3, 200)] * 50)
    assert len(table[7]) == 200
    travelling = pickle.dumps(table)
    assert len(travelling) < 500
    np.testing.assert_array_equal(pickle.loads(travelling)[7].boxes, table[7].boxes)


def test_masks_come_back_and_boxes_alone_have_no_column_of_them(tmp_path: Path) -> None:
    bitmaps = np.zeros((3, 64, 96), bool)
    bitmaps[0, 3:9, 4:40] = bitmaps[2, :, 95:] = True
    masks = encode_masks(bitmaps)
    sent = [
        random_detections(0, 3, masks=masks),
        random_detections(1, 2),
        Detections(masks=masks[:0]),
    ]
    table = mapped(tmp_path, sent)
    assert table.has_masks
    assert table[0].masks.tolist() == masks.tolist() and masks[1] is None
    assert table[1].masks is None
    assert table[2].masks is not None and len(table[2].masks) == 0
    assert table.size(0) == (96, 64)
    bare = mapped(tmp_path / 'bare', [random_detections(0, 3)])
    assert not bare.has_masks and bare[0].masks is None
    assert 'masks' not in pa.ipc.open_file(str(bare.path)).schema.names
    assert not mapped(tmp_path / 'none', [random_detections(0, 1, masks=masks[1:2])]).has_masks


def test_rows_are_found_across_the_batches_of_a_long_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (detection_table, mapped_files):
        monkeypatch.setattr(module, 'BATCH_SIZE', 4)
    sent = [random_detections(number, number % 3) for number in range(10)]
    table = mapped(tmp_path, sent)
    assert len(table) == 10 and table.num_boxes == sum(map(len, sent))
    for row, each in enumerate(sent):
        np.testing.assert_array_equal(table[row].boxes, each.boxes)


def test_boxes_are_counted_by_class_and_band(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (detection_table, mapped_files):
        monkeypatch.setattr(module, 'BATCH_SIZE', 4)
    random = np.random.default_rng(0)
    sent = [random_detections(n, n % 5, ignore=random.random(n % 5) < 0.5) for n in range(11)]
    rows = np.array([9, 2, 2, 5])
    for chosen, argument in ((range(11), None), (rows, rows)):
        expected = np.zeros((3, 2), int)
        for row in chosen:
            np.add.at(expected, (sent[row].labels, sent[row].is_ignored.astype(int)), 1)
        folder = tmp_path / str(len(chosen))
        np.testing.assert_array_equal(mapped(folder, sent).count_boxes(3, argument), expected)


def test_boxes_without_bands_are_all_kept(tmp_path: Path) -> None:
    found = random_detections(0, 9)
    counts = mapped(tmp_path, [found]).count_boxes(3)
    assert counts[:, 0].tolist() == np.bincount(found.labels, minlength=3).tolist()
    assert not counts[:, 1].any()


def test_rows_are_counted_from_the_end_and_sliced_as_those_of_a_list(tmp_path: Path) -> None:
    sent = [random_detections(number, number) for number in range(5)]
    table = mapped(tmp_path, sent)
    assert len(table[-1]) == 4
    assert [len(each) for each in table[:2]] == [0, 1]
    assert [len(each) for each in table[1:][::-2]] == [4, 2]
    assert len(table[1:][-1]) == 4
    for row in (5, -6):
        with pytest.raises(IndexError):
            table[row]
