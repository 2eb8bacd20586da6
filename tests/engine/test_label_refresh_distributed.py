"""PseudoLabelRefreshHook where two processes train together: one set of labels for both."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp

from mmcompose.engine.hooks.label_refresh import FOLDER, STATE
from mmcompose.utils import fingerprint
from tests.engine import test_label_refresh as single
from tests.engine.test_channels_last import first_gradients
from tests.processes import METHOD

RANKS = 2
EPOCHS = 3
# Of eight images in batches of two on two ranks.
EPOCH = 2


def train_as_a_rank(rank: int, pool: str, truth: str, folder: str) -> None:
    """Train until the last epoch's middle, resume, and write down what this rank had."""
    os.environ.update({'RANK': str(rank), 'LOCAL_RANK': str(rank), 'WORLD_SIZE': str(RANKS)})
    meeting = f'file://{folder}/meeting'
    torch.distributed.init_process_group('gloo', meeting, rank=rank, world_size=RANKS)
    single._registered.__wrapped__().__next__()
    config = single._config(Path(pool), truth, Path(folder), EPOCHS)
    config.launcher = 'pytorch'
    config.card = {'pictures': 2, 'max_scored': 0}
    # By itself MMEngine asks for the GPU of this rank's number.
    config.model_wrapper_cfg = {
        'type': 'MMDistributedDataParallel',
        'broadcast_buffers': False,
        'device_ids': None,
    }
    config.custom_hooks.append({'type': 'mmcompose.ChannelsLastHook'})
    killed = single._train(config.copy(), kill_at=(EPOCHS - 1) * EPOCH)
    resumed = single._train(config.copy(), resume=True)
    said = {
        name: {
            'state': runner.message_hub.get_info(STATE),
            'labels': single._labels(runner).labels_fingerprint,
            'kept': single._labels(runner).count_boxes()[:, 0].tolist(),
            'boxes': single._hook(runner, single.WatchHook).boxes,
            'weights': fingerprint([each.tolist() for each in runner.model.parameters()]),
            'channels_last': [
                each.is_contiguous(memory_format=torch.channels_last)
                for each in runner.model.parameters()
                # Of a kernel of one pixel both layouts are the same.
                if each.ndim == 4 and each.shape[2] > 1
            ],
        }
        for name, runner in (('killed', killed), ('resumed', resumed))
    }
    said |= {f'gradients {hook}': first_gradients(hook) for hook in (True, False)}
    Path(folder, f'rank_{rank}.json').write_text(json.dumps(said))


@pytest.fixture(scope='module')
def ranks(pool: Path, truth: str, tmp_path_factory: pytest.TempPathFactory) -> Ranks:
    """What both ranks of one run had."""
    return Ranks(pool, truth, tmp_path_factory.mktemp('ranks'))


class Ranks:
    """A run of two processes, killed and resumed in its second round."""

    def __init__(self, pool: Path, truth: str, folder: Path) -> None:
        self.folder = folder
        arguments = (str(pool), truth, str(folder))
        mp.start_processes(train_as_a_rank, arguments, RANKS, start_method=METHOD)
        self.said: list[dict[str, Any]] = [
            json.loads((folder / f'rank_{rank}.json').read_text()) for rank in range(RANKS)
        ]


def test_both_ranks_have_the_same_labels_in_each_round(ranks: Ranks) -> None:
    first, second = (said['killed'] for said in ranks.said)
    assert first['labels'] == second['labels']
    assert first['kept'] == second['kept']
    assert first['state'] == second['state']
    assert [each['epoch'] for each in first['state']['rounds']] == [1, 2]
    # The labels of the pool, those of round 1 and, where they differ, those of round 2.
    made = {path.name for path in (ranks.folder / 'store' / 'labels').iterdir()}
    assert len(made) == 3 and first['labels'] in made
    saved = {path.name for path in (ranks.folder / 'work' / FOLDER).iterdir()}
    assert saved == {'student.py', 'round_1.pth', 'round_2.pth'}


def test_the_labels_of_a_round_reach_both_ranks(ranks: Ranks) -> None:
    seen = [
        [sum(kept for kept, _ in said['killed']['boxes'][start : start + EPOCH])
         for start in range(0, 2 * EPOCH, EPOCH)]
        for said in ranks.said
    ]  # fmt: skip
    # Between them the ranks see all images: the kept boxes are those of one process.
    assert [sum(each) for each in zip(*seen, strict=True)] == [21, single.VOTED_DOWN[0]]


def test_both_ranks_resume_in_the_round_in_which_they_were_killed(ranks: Ranks) -> None:
    for said in ranks.said:
        killed, resumed = said['killed'], said['resumed']
        # The checkpoint is one of round 1: round 2 is begun once more, with the same labels.
        assert resumed['state']['round'] == killed['state']['round'] == 2
        assert resumed['labels'] == killed['labels']
    # Two teachers, and the student of two rounds, which nobody asked again.
    assert len(list((ranks.folder / 'store' / 'predictions').iterdir())) == 4


def test_the_card_is_written_when_both_ranks_have_the_labels(ranks: Ranks) -> None:
    assert (ranks.folder / 'work' / 'card.html').is_file()


def test_both_ranks_train_the_same_weights_in_channels_last(ranks: Ranks) -> None:
    first, second = ranks.said
    for name in ('killed', 'resumed'):
        assert first[name]['weights'] == second[name]['weights']
        assert first[name]['channels_last'] and all(first[name]['channels_last'])
    assert first['killed']['weights'] != first['resumed']['weights']


def test_channels_last_leaves_the_gradients_of_the_first_step_as_they_are(ranks: Ranks) -> None:
    first, second = ranks.said
    assert first['gradients True'] == second['gradients True']
    for ours, plain in zip(first['gradients True'], first['gradients False'], strict=True):
        assert ours == pytest.approx(plain, rel=1e-3, abs=1e-6)


def test_the_labels_are_those_that_one_process_makes(
    ranks: Ranks, pool: Path, tmp_path: Path
) -> None:
    from mmcompose.composition import STUDENT, Composition
    from mmcompose.engine.hooks.student_snapshot import student_teacher
    from tests import toys

    teacher = student_teacher(ranks.folder / 'work' / FOLDER, 1, 1.0)
    alone = Composition.from_config(toys.composition(tmp_path)).with_teacher(STUDENT, teacher)
    made = alone.labels(toys.images_in(pool)).table.path
    theirs = ranks.folder / 'store' / 'labels' / made.parent.name / made.name
    assert made.read_bytes() == theirs.read_bytes()
