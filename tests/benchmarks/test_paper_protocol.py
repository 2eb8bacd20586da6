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
from arms import Arm, Arms
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
    gains = {}
    for percent in PERCENTS:
        gain = paper_protocol.gain(protocol, percent, 1)
        assert gain is not None
        gains[percent] = gain
    assert gains == pytest.approx({1: 0.24 - 0.03, 5: 0.25 - 0.08, 10: 0.27 - 0.12})
    assert all(bar.ok for bar in paper_protocol.bars(protocol, gains, 299).values())
    protocol.found['oracle']['mAP'] = 0.26
    missed = [name for name, bar in paper_protocol.bars(protocol, gains, 301).items() if not bar.ok]
    ratios = [
        f'{name} mAP / oracle mAP' for name in (paper_protocol.WITH_FEATURES, paper_protocol.LARGER)
    ]
    assert missed == [*ratios, 'minutes']
    # Nor does it say how many minutes all would take, where some were not run.
    assert 'minutes' not in paper_protocol.bars(protocol, gains, None)
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


def test_arms_that_were_not_run_have_no_bar(stages: Stages, tmp_path: Path) -> None:
    names = ('oracle', paper_protocol.WITH_FEATURES)
    some = {name: each for name, each in found().items() if name in names}
    protocol = Arms(stages, tmp_path, tmp_path, CONFIGS, some)
    assert [paper_protocol.gain(protocol, percent, 1) for percent in PERCENTS] == [None] * 3
    assert list(paper_protocol.bars(protocol, {}, None)) == [
        f'{paper_protocol.WITH_FEATURES} mAP / oracle mAP',
        'oracle mAP',
    ]


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    """Folder of pools of one picture each."""
    for name in ('unlabeled', *paper_protocol.MORE_PICTURES[paper_protocol.LARGEST]):
        images = [{'id': 1, 'file_name': f'{name}.jpg'}]
        (tmp_path / f'{name}.json').write_text(json.dumps({'images': images, 'categories': []}))
    return tmp_path


def test_other_seeds_train_the_same_config(stages: Stages, annotations: Path) -> None:
    protocol = Arms(stages, annotations, annotations, CONFIGS)
    arms = {
        arm.name: arm
        for name in paper_protocol.SEEDED
        for arm in paper_protocol.seeded_arm(protocol, [], name).other_seeds(3)
    }
    assert arms.keys() == {
        f'{name}, seed {seed}' for name in paper_protocol.SEEDED for seed in (1, 2)
    }
    plain = arms['as in the paper, seed 2']
    assert (plain.config, plain.options) == ('plain', {'randomness.seed': 2})
    larger = arms[f'{paper_protocol.LARGER}, seed 1']
    assert larger.config == 'features' and larger.options['randomness.seed'] == 1


@pytest.mark.parametrize('name', paper_protocol.MORE_PICTURES)
def test_an_arm_of_a_larger_pool_lists_the_pool_before_what_is_added(
    name: str, stages: Stages, annotations: Path
) -> None:
    protocol = Arms(stages, annotations, annotations, CONFIGS)
    arm = paper_protocol.seeded_arm(protocol, [], name)
    pool = json.loads(arm.options['train_dataloader.dataset.dataset.ann_file'].read_text())
    listed = ['unlabeled', *paper_protocol.MORE_PICTURES[name]]
    assert pool['images'] == [
        {'id': number, 'file_name': f'{each}.jpg'} for number, each in enumerate(listed)
    ]
    assert arm.config == 'features'


@pytest.mark.parametrize('names', [['oracle, seed 1', 'composed'], []])
def test_arms_are_run_by_name_and_what_begins_with_another_follows_it(
    names: list[str], stages: Stages, annotations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    def run(self: Arms, arm: Arm) -> Path:
        trained.append(arm.name)
        self.found[arm.name] = {'mAP': 0.2, 'AP50': 0.3, 'seconds': 60.0}
        return annotations

    monkeypatch.setattr(Arms, 'run', run)
    monkeypatch.setattr(Arms, 'take', lambda *_: False)
    monkeypatch.setattr(paper_protocol, 'split_labels', lambda *_: annotations)
    monkeypatch.setattr(paper_protocol, 'score_teachers', lambda *_: None)
    protocol = Arms(stages, annotations, annotations, CONFIGS)
    minutes = paper_protocol.run_arms(protocol, [], 1, 2, 1, names)
    if names:
        assert sorted(trained) == sorted(names) and minutes is None
        with pytest.raises(UserError, match="'oracl': is no arm; oracle is"):
            paper_protocol.run_arms(protocol, [], 1, 2, 1, ['oracl'])
        return
    assert minutes == len(paper_protocol.SEEDED) + len(PERCENTS) * (1 + len(SUPERVISED_RATES))
    assert paper_protocol.SEMI in trained
    student = trained.index(paper_protocol.WITH_FEATURES)
    finetuned = [paper_protocol.finetuned_arm(percent, 1) for percent in PERCENTS]
    assert trained[student + 1 : student + 5] == [*finetuned, paper_protocol.SEMI_COMPOSED]


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


def test_every_arm_is_run_once_and_each_share_reads_its_own_files(tmp_path: Path) -> None:
    student = Arm(paper_protocol.WITH_FEATURES, 'features')
    planned = [
        *paper_protocol.finetuned_arms(student, 2, tmp_path, [tmp_path / 'pool.json']),
        *paper_protocol.supervised_arms(2, tmp_path),
    ]
    arms = {arm.name: arm for arm in planned}
    assert len(arms) == len(planned) == 2 * len(PERCENTS) * (1 + len(SUPERVISED_RATES))
    arm = arms[paper_protocol.finetuned_arm(5, 2)]
    labelled, rest = (
        tmp_path / f'unlabeled_ground_truth.2@5{part}.json' for part in ('', '-unlabeled')
    )
    assert arm.config == 'finetuned' and arm.inputs == [tmp_path / 'pool.json', labelled, rest]
    assert arm.begins_with == student
    read = read_config(ROOT / 'configs/compose/protocol/finetuned.py')
    read.merge_from_dict({key: str(value) for key, value in arm.options.items()})
    truth, pseudo = read.train_dataloader.dataset.datasets
    assert truth.ann_file == str(labelled)
    assert pseudo.dataset.ann_file == str(rest)
    # Its labels are of the pool, which has none of its own.
    assert pseudo.pool.ann_file.endswith('/unlabeled.json')
    assert Path(read.load_from).parent.name == student.name.replace(' ', '_')


def test_a_mean_teacher_takes_as_many_steps_as_labels_alone_or_as_fine_tuning(
    tmp_path: Path,
) -> None:
    student = Arm(paper_protocol.WITH_FEATURES, 'features')
    alone, after = paper_protocol.semi_supervised_arms(student, tmp_path)
    assert alone.begins_with is None and after.begins_with == student
    folder = ROOT / CONFIGS
    for arm, other in ((alone, 'supervised'), (after, 'finetuned')):
        read = read_config(folder / f'{arm.config}.py')
        read.merge_from_dict({key: str(value) for key, value in arm.options.items()})
        assert int(read.train_cfg.max_iters) == read_config(folder / f'{other}.py').max_iters
        labelled, rest = (part.ann_file for part in read.train_dataloader.dataset.datasets)
        assert labelled.endswith('.1@10.json') and rest.endswith('.1@10-unlabeled.json')
        assert read.model.detector == read_config(folder / 'oracle.py').model


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
    last = folder / ('iter_2.pth' if left == 'the last checkpoint' else 'iter_1.pth')
    if left != 'nothing':
        (folder / 'last_checkpoint').write_text(str(last))
    if left.endswith(' checkpoint'):
        last.touch()
    sys.exit(9)
if '--resume' in sys.argv:
    assert Path((folder / 'last_checkpoint').read_text()).is_file()
(folder / 'iter_2.pth').touch()
"""


@pytest.mark.parametrize(
    'left', ['a checkpoint', 'the last checkpoint', 'the name of a removed one', 'nothing']
)
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
    assert resumed == ['False', str(left.endswith(' checkpoint'))]
    # Where it began anew nothing of before was left.
    assert (folder / 'last_checkpoint').is_file() == left.endswith(' checkpoint')


def test_a_finished_training_is_kept_beside_another_in_its_place(
    stages: Stages, tmp_path: Path
) -> None:
    folder = tmp_path / 'arm'
    checkpoint = folder / 'iter_2.pth'
    for config in ('one', 'other', 'other'):
        if config == 'one':
            folder.mkdir()
            (folder / 'left over').touch()
        program = f'open({str(checkpoint)!r}, "w").write({config!r})'
        command = [sys.executable, '-c', program]
        stages.run('arm', command, checkpoint, config, resume=True)
    assert checkpoint.read_text() == 'other'
    before = tmp_path / 'arm_before'
    assert (before / 'iter_2.pth').read_text() == 'one'
    # What had not finished is not.
    assert not (before / 'left over').exists()


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
    made: dict[Path, list[str]] = {}

    def train(
        stages: Stages, name: str, config: Any, work_dir: Path, inputs: list[Path], **more: Any
    ) -> Path:
        student = common.final_checkpoint(config, work_dir)
        stamp = [path.read_text() for path in inputs]
        if made.get(student) == stamp:
            return student
        made[student] = stamp
        options.append(dict(more['options'] or {}))
        stages.seconds[name] = 7.0
        scores = work_dir / 'scores' / '20260101_000000'
        scores.mkdir(parents=True, exist_ok=True)
        student.write_bytes(b'weights')
        metrics = {'coco/bbox_mAP': 0.25, 'coco/bbox_mAP_50': 0.4}
        (scores / '20260101_000000.json').write_text(json.dumps(metrics))
        return student

    monkeypatch.setattr(compared, 'train', train)
    monkeypatch.setattr(stages, 'run', lambda *_: None)
    return options


def test_each_arm_is_kept_as_it_ends(
    stages: Stages, tmp_path: Path, trained: list[dict[str, Any]]
) -> None:
    protocol = Arms(stages, tmp_path, tmp_path, CONFIGS)
    student = protocol.run(Arm('composed', 'composed'))
    assert student == tmp_path / 'composed' / 'iter_2250.pth'
    kept = json.loads((tmp_path / 'arms.json').read_text())['composed']
    assert {name: kept[name] for name in ('mAP', 'AP50', 'seconds', 'device', 'commit')} == {
        'mAP': 0.25, 'AP50': 0.4, 'seconds': 7.0, 'device': common.device(),
        'commit': common.commit(),
    }  # fmt: skip
    assert trained == [{}]


def test_an_arm_of_another_machine_is_not_trained_again(
    stages: Stages,
    tmp_path: Path,
    trained: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there, here = tmp_path / 'there', tmp_path / 'here'
    pool, results = tmp_path / 'pool.json', tmp_path / 'results.json'
    pool.write_text('1')
    for folder in (there, here):
        folder.mkdir()
        (folder / 'teacher.pth').write_text(folder.name)

    def run(folder: Path, percent: int = 1) -> dict[str, Any]:
        # Data stand elsewhere, and the same recipe has left a teacher of other weights.
        monkeypatch.setenv('VOC_ROOT', str(folder / 'voc'))
        teacher = folder / 'teacher.pth'
        protocol = Arms(
            stages, folder, tmp_path, CONFIGS, results=results, made={teacher: 'a recipe'}
        )
        composed = Arm('composed', 'composed', [pool, teacher])
        protocol.run(composed)
        protocol.run(
            Arm(f'finetuned {percent}', 'finetuned', [pool], {'a': percent}, begins_with=composed)
        )
        return protocol.found

    found = run(there)
    student = there / 'composed' / 'iter_2250.pth'
    assert trained == [{}, {'a': 1, 'load_from': student}]
    # Neither weights nor logs travel.
    results.write_text(json.dumps({'figures': {'arms': found}}))
    assert run(here) == found and len(trained) == 2
    # What begins with a student that is not here trains it first.
    run(here, percent=5)
    assert trained[2:] == [{}, {'a': 5, 'load_from': here / 'composed' / 'iter_2250.pth'}]
    # What has changed is trained, and what begins with it.
    pool.write_text('2')
    found = run(there)
    assert [each.get('a') for each in trained[4:]] == [None, 1]
    # It does not begin with the student of before, which is still here.
    results.write_text(json.dumps({'figures': {'arms': found}}))
    run(here, percent=5)
    assert [each.get('a') for each in trained[6:]] == [None, 5]
    # The seeds and folds of another run are kept.
    protocol = Arms(stages, here, tmp_path, CONFIGS, results=results)
    assert protocol.others({'composed'}) == {'finetuned 1': found['finetuned 1']}
