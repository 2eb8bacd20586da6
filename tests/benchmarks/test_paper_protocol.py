"""The benchmark of the paper's protocol: its arms, its gains, and stages side by side."""

from __future__ import annotations

import json
import re
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mmcompose.utils import UserError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'benchmarks'))

import arms as compared
import common
import paper_protocol
import truth_and_teachers
import voc_composition
import voc_teachers
from arms import Arms
from common import ROOT, Stages, makespan, read_config
from paper_protocol import CONFIGS, PERCENTS, SUPERVISED_RATES

SUPERVISED = {1: (0.02, 0.03), 5: (0.08, 0.05), 10: (0.10, 0.12)}
FINETUNED = {1: 0.24, 5: 0.25, 10: 0.27}


@pytest.fixture
def stages(tmp_path: Path) -> Stages:
    return Stages(total=4, logs=tmp_path / 'logs')


def found() -> dict[str, dict[str, float]]:
    """What the arms of one fold might reach."""
    means = {'composed': 0.23, 'oracle': 0.248, 'as in the paper': 0.21}
    means[paper_protocol.WITH_FEATURES] = 0.25
    means[paper_protocol.LARGER] = 0.27
    for percent in PERCENTS:
        for rate, mean in zip(SUPERVISED_RATES, SUPERVISED[percent], strict=True):
            means[paper_protocol.supervised_arm(percent, 1, rate)] = mean
        means[paper_protocol.finetuned_arm(percent, 1)] = FINETUNED[percent]
    return {name: {'mAP': mean, 'AP50': 2 * mean} for name, mean in means.items()}


def test_a_gain_is_over_the_learning_rate_that_is_better_with_so_many_labels(
    stages: Stages, tmp_path: Path
) -> None:
    protocol = Arms(stages, tmp_path, tmp_path, CONFIGS, found())
    gains = {percent: paper_protocol.gain(protocol, percent, 1) for percent in PERCENTS}
    assert gains == pytest.approx({1: 0.24 - 0.03, 5: 0.25 - 0.08, 10: 0.27 - 0.12})
    assert all(bar.ok for bar in paper_protocol.bars(protocol, gains, 299).values())
    protocol.found['oracle']['mAP'] = 0.26
    missed = [name for name, bar in paper_protocol.bars(protocol, gains, 301).items() if not bar.ok]
    ratios = [
        f'{name} mAP / oracle mAP' for name in (paper_protocol.WITH_FEATURES, paper_protocol.LARGER)
    ]
    assert missed == [*ratios, 'minutes']
    # Of a GPU's arms, minutes on two cores are not known.
    protocol.found['oracle']['device'] = 'a GPU'
    assert 'minutes' not in paper_protocol.bars(protocol, gains, 301)


def test_bars_are_means_over_seeds(stages: Stages, tmp_path: Path) -> None:
    protocol = Arms(stages, tmp_path, tmp_path, CONFIGS, found())
    for seed, mean in ((1, 0.20), (2, 0.26)):
        protocol.found[compared.seeded('composed', seed)] = {'mAP': mean, 'AP50': 0.4}
    assert protocol.runs('composed') == [0.23, 0.20, 0.26]
    assert protocol.mean('composed') == pytest.approx(0.23)
    assert protocol.runs('oracle') == [0.248]
    assert compared.spread(protocol.runs('composed')) == pytest.approx(
        {'mean': 0.23, 'deviation': 0.03, 'runs': 3}
    )


def test_other_seeds_train_the_same_config(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: dict[str, Any] = {}

    def arm(self: Arms, name: str, config: str, inputs: Any, options: Any = None) -> Path:
        trained[name] = config, options
        return tmp_path

    monkeypatch.setattr(Arms, 'arm', arm)
    for name, first in (('unlabeled', 1), (paper_protocol.MORE_PICTURES, 1)):
        images = [{'id': first, 'file_name': f'{name}.jpg'}]
        (tmp_path / f'{name}.json').write_text(json.dumps({'images': images, 'categories': []}))
    for train in paper_protocol.seeded_arms(Arms(stages, tmp_path, tmp_path, CONFIGS), [], 3):
        train()
    assert trained.keys() == {
        f'{name}, seed {seed}' for name in paper_protocol.SEEDED for seed in (1, 2)
    }
    assert trained['as in the paper, seed 2'] == ('plain', {'randomness.seed': 2})
    config, options = trained[f'{paper_protocol.LARGER}, seed 1']
    pool = json.loads(options['train_dataloader.dataset.dataset.ann_file'].read_text())
    assert config == 'features' and options['randomness.seed'] == 1
    assert pool['images'] == [
        {'id': 0, 'file_name': 'unlabeled.jpg'},
        {'id': 1, 'file_name': f'{paper_protocol.MORE_PICTURES}.jpg'},
    ]


def test_each_benchmark_trains_configs_that_are_there() -> None:
    names = [*truth_and_teachers.ARMS.values(), *voc_composition.ARMS.values()]
    names.append(voc_teachers.SCORING)
    assert all((ROOT / voc_teachers.CONFIGS / f'{name}.py').is_file() for name in names)
    finetune = ROOT / 'configs/compose/finetune/yolox-nano_voc_finetune.py'
    folder, *_ = re.findall(r'work_dirs/voc/(\w+)/epoch_6\.pth', finetune.read_text())
    assert folder in {name.replace(' ', '_') for name in voc_composition.ARMS}
    # What one of them has trained, the other does not train again.
    assert len(voc_composition.ARMS.items() & truth_and_teachers.ARMS.items()) == 2


def test_each_half_of_the_pool_is_labelled_for_its_half_of_the_classes(tmp_path: Path) -> None:
    images = [{'id': number} for number in range(6)]
    categories = [{'id': number, 'name': str(number)} for number in range(1, 5)]
    boxes = [
        {'id': 10 * image['id'] + each['id'], 'image_id': image['id'], 'category_id': each['id']}
        for image in images
        for each in categories
    ]
    truth = {'images': images, 'categories': categories, 'annotations': boxes}
    (tmp_path / f'{voc_teachers.TRUTH}.json').write_text(json.dumps(truth))
    files = truth_and_teachers.half_labels(tmp_path, tmp_path, 0)
    halves = [json.loads(path.read_text()) for path in files]
    for kind in ('images', 'categories'):
        ids = [each['id'] for half in halves for each in half[kind]]
        assert sorted(ids) == [each['id'] for each in truth[kind]]
    for half in halves:
        kept = {(box['image_id'], box['category_id']) for box in half['annotations']}
        assert kept == {(i['id'], c['id']) for i in half['images'] for c in half['categories']}
        assert len(kept) == 3 * 2


def test_every_arm_is_run_once_and_each_share_reads_its_own_files(
    stages: Stages, tmp_path: Path
) -> None:
    protocol = Arms(stages, tmp_path, tmp_path, CONFIGS)
    jobs = [
        *paper_protocol.finetuned_arms(protocol, 2, tmp_path, [tmp_path / 'pool.json']),
        *paper_protocol.supervised_arms(protocol, 2, tmp_path),
    ]
    arms = {job.args[0]: job.args[1:] for job in jobs}
    assert len(arms) == len(jobs) == 2 * len(PERCENTS) * (1 + len(SUPERVISED_RATES))
    config, inputs, options, begins_with = arms[paper_protocol.finetuned_arm(5, 2)]
    labelled, rest = (
        tmp_path / f'unlabeled_ground_truth.2@5{part}.json' for part in ('', '-unlabeled')
    )
    assert config == 'finetuned' and inputs == [tmp_path / 'pool.json', labelled, rest]
    assert begins_with == paper_protocol.WITH_FEATURES
    read = read_config(ROOT / 'configs/compose/protocol/finetuned.py')
    read.merge_from_dict({key: str(value) for key, value in options.items()})
    truth, pseudo = read.train_dataloader.dataset.datasets
    assert truth.ann_file == str(labelled)
    assert pseudo.dataset.ann_file == str(rest)
    # Its labels are of the pool, which has none of its own.
    assert pseudo.pool.ann_file.endswith('/unlabeled.json')
    assert Path(read.load_from).parent.name == begins_with.replace(' ', '_')


def test_arms_that_are_compared_train_for_the_same_time() -> None:
    arms = {
        name: read_config(ROOT / f'configs/compose/protocol/{name}.py')
        for name in ('composed', 'oracle', 'plain', 'supervised', 'finetuned')
    }
    steps = {name: arm.train_cfg.max_iters for name, arm in arms.items()}
    assert steps['composed'] == steps['oracle'] == steps['plain']
    assert steps['supervised'] == steps['composed'] + steps['finetuned']
    for arm in arms.values():
        assert arm.model == arms['oracle'].model
        assert arm.train_pipeline == arms['oracle'].train_pipeline
        assert arm.train_dataloader.batch_size == arms['oracle'].train_dataloader.batch_size
        assert arm.get('load_from') is None or arm is arms['finetuned']


@pytest.mark.parametrize(
    ('seconds', 'width', 'expected'),
    [([], 2, 0), ([3, 1, 1], 2, 3), ([2, 2, 2, 1], 2, 4), ([2, 2, 2, 1], 1, 7), ([5, 1], 2, 5)],
)
def test_what_stages_side_by_side_take(seconds: list[float], width: int, expected: float) -> None:
    assert makespan(seconds, width) == expected


def command(out: Path, code: int = 0) -> list[str]:
    """Return a command that writes how many threads it may use, and ends with a code."""
    program = (
        'import os, sys; '
        f'open({str(out)!r}, "w").write(os.environ["OMP_NUM_THREADS"]); sys.exit({code})'
    )
    return [sys.executable, '-c', program]


def run(stages: Stages, out: Path, code: int = 0) -> Path:
    stages.run(out.name, command(out, code), out, made_by=code)
    return out


def test_where_one_stage_fails_the_others_still_run(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, 'cores', lambda: 4)
    outs = [tmp_path / name for name in 'abcd']
    jobs = [partial(run, stages, out, int(out.name == 'b')) for out in outs]
    with pytest.raises(UserError, match='b failed'):
        stages.together(*jobs, width=2)
    assert [out.read_text() for out in outs] == ['2'] * 4
    # Once more, what has succeeded is reused, with the time it took.
    again = Stages(total=4, logs=stages.logs)
    assert again.together(*(partial(run, again, out) for out in outs if out.name != 'b')) == [
        out for out in outs if out.name != 'b'
    ]
    assert again.seconds == {name: stages.seconds[name] for name in 'acd'}
    assert again.minutes == pytest.approx(max(again.seconds.values()) / 60)


def test_jobs_one_at_a_time_are_a_group_too(stages: Stages, tmp_path: Path) -> None:
    stages.together(*(partial(run, stages, tmp_path / name) for name in 'ab'), width=1)
    assert stages.groups == [(1, [['a'], ['b']])]
    run(stages, tmp_path / 'c')
    assert stages.groups[1:] == [(1, [['c']])]


def test_the_stages_of_one_job_take_their_time_one_after_the_other(
    stages: Stages, tmp_path: Path
) -> None:
    run(stages, tmp_path / 'alone')
    stages.together(
        lambda: [run(stages, tmp_path / name) for name in ('first', 'second')][-1],
        lambda: run(stages, tmp_path / 'beside'),
    )
    stages.seconds = {'alone': 60, 'first': 120, 'second': 60, 'beside': 60}
    # And not 3, as if the second stage could run beside the first.
    assert stages.minutes == 4


# A training that is killed the first time, and leaves something or nothing behind.
TRAINING = """
import sys
from pathlib import Path

folder, left = Path(sys.argv[1]), sys.argv[2]
folder.mkdir(exist_ok=True)
begun = folder.parent / 'begun'
with begun.open('a') as file:
    file.write(f'{"--resume" in sys.argv} ')
if len(begun.read_text().split()) == 1:
    if left != 'nothing':
        (folder / 'last_checkpoint').write_text(str(folder / 'iter_1.pth'))
    if left == 'a checkpoint':
        (folder / 'iter_1.pth').touch()
    sys.exit(9)
(folder / 'iter_2.pth').touch()
"""


@pytest.mark.parametrize('left', ['a checkpoint', 'the name of a removed one', 'nothing'])
def test_a_killed_training_is_resumed_where_there_is_something_to_resume(
    left: str, stages: Stages, tmp_path: Path
) -> None:
    folder = tmp_path / 'arm'
    command = [sys.executable, '-c', TRAINING, str(folder), left]
    run = partial(stages.run, 'arm', command, folder / 'iter_2.pth', 'config', resume=True)
    with pytest.raises(UserError, match='exit code 9'):
        run()
    run()
    resumed = (tmp_path / 'begun').read_text().split()
    assert resumed == ['False', str(left == 'a checkpoint')]
    # Where it began anew nothing of before was left.
    assert (folder / 'last_checkpoint').is_file() == (left == 'a checkpoint')


def test_configs_are_read_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading: list[int] = []
    overlaps: list[bool] = []

    def slowly(path: Any) -> Any:
        reading.append(1)
        overlaps.append(len(reading) > 1)
        threading.Event().wait(0.02)
        reading.pop()
        return path

    monkeypatch.setattr(common.Config, 'fromfile', slowly)
    threads = [threading.Thread(target=read_config, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [False] * 4


@pytest.fixture
def trained(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """The options of each arm that is trained, in a moment, and reaches 0.25."""
    options: list[dict[str, Any]] = []

    def train(stages: Stages, name: str, config: Any, work_dir: Path, *_: Any, **more: Any) -> Path:
        options.append(dict(more['options'] or {}))
        stages.seconds[name] = 7.0
        scores = work_dir / 'scores' / '20260101_000000'
        scores.mkdir(parents=True)
        (work_dir / 'iter_2.pth').write_bytes(b'weights')
        metrics = {'coco/bbox_mAP': 0.25, 'coco/bbox_mAP_50': 0.4}
        (scores / '20260101_000000.json').write_text(json.dumps(metrics))
        return work_dir / 'iter_2.pth'

    monkeypatch.setattr(compared, 'train', train)
    monkeypatch.setattr(stages, 'run', lambda *_: None)
    return options


def test_each_arm_is_kept_as_it_ends(
    stages: Stages, tmp_path: Path, trained: list[dict[str, Any]]
) -> None:
    protocol = Arms(stages, tmp_path, tmp_path, CONFIGS)
    assert protocol.arm('composed', 'composed', []) == tmp_path / 'composed' / 'iter_2.pth'
    kept = json.loads((tmp_path / 'arms.json').read_text())['composed']
    assert {name: kept[name] for name in ('mAP', 'AP50', 'seconds', 'device')} == {
        'mAP': 0.25, 'AP50': 0.4, 'seconds': 7.0, 'device': common.device()
    }  # fmt: skip
    assert trained == [{}]


def test_an_arm_of_another_machine_is_not_trained_again(
    stages: Stages, tmp_path: Path, trained: list[dict[str, Any]]
) -> None:
    there, here = tmp_path / 'there', tmp_path / 'here'
    pool = tmp_path / 'pool.json'
    pool.write_text('1')
    for folder in (there, here):
        folder.mkdir()

    def run(folder: Path) -> dict[str, Any]:
        protocol = Arms(stages, folder, tmp_path, CONFIGS)
        protocol.arm('composed', 'composed', [pool])
        protocol.arm('finetuned', 'finetuned', [pool], {'a': 1}, 'composed')
        return protocol.found

    found = run(there)
    assert trained == [{}, {'a': 1, 'load_from': there / 'composed' / 'iter_2.pth'}]
    # Neither weights nor logs travel.
    (here / 'arms.json').write_bytes((there / 'arms.json').read_bytes())
    assert run(here) == found and len(trained) == 2
    # What has changed is trained, and what begins with it.
    pool.write_text('2')
    run(here)
    assert len(trained) == 4
