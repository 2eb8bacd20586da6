"""Tests of the command ``mmcompose``: its help, exit codes and one table of verbs."""

from __future__ import annotations

import subprocess
import sys
import warnings
from argparse import ArgumentParser, Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmcompose import cli
from mmcompose.known_warnings import mute_known_warnings
from mmcompose.utils import UserError, fault

ROOT = Path(__file__).resolve().parent.parent


# MMDetection's scripts print theirs.
OWN = [verb for verb in cli.VERBS if verb not in ('train', 'test')]


@pytest.mark.parametrize('arguments', [('--help',), *((verb, '--help') for verb in OWN)])
def test_help_is_there_at_once(arguments: tuple[str, ...]) -> None:
    program = (
        'import sys\n'
        'from mmcompose.cli import main\n'
        'try:\n'
        f'    main({list(arguments)!r})\n'
        'except SystemExit as ended:\n'
        "    slow = [name for name in ('torch', 'mmcv', 'mmdet') if name in sys.modules]\n"
        '    print(ended.code, slow)\n'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == '0 []', done.stderr
    assert done.stdout.startswith('usage: mmcompose')


def test_the_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert all(f'  {verb} ' in told for verb in cli.VERBS)


def test_a_typo_in_a_verb_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(['lable'])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told == (
        "error: mmcompose: 'lable' is no verb; see mmcompose --help; did you mean 'label'?\n"
    )


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (
            ['label', 'a.py', '--wrokers', '2'],
            "error: mmcompose label: '--wrokers' is no option; see mmcompose label --help; "
            "did you mean '--workers'?\n",
        ),
        (
            ['export', 'labels', 'a.py', '--two=coco'],
            "error: mmcompose export: '--two' is no option; see mmcompose export --help; "
            "did you mean '--to'?\n",
        ),
        (
            ['label', 'a.py', 'b.py', 'c.py'],
            "error: mmcompose label: 'b.py' is no argument; see mmcompose label --help\n"
            "error: mmcompose label: 'c.py' is no argument; see mmcompose label --help\n",
        ),
        (
            ['init', '--techer', 'a.onnx', '--imagse=b', '-x', '-oc.py', '--', '--student'],
            "error: mmcompose init: '--techer' is no option; see mmcompose init --help; "
            "did you mean '--teacher'?\n"
            "error: mmcompose init: '--imagse' is no option; see mmcompose init --help; "
            "did you mean '--images'?\n"
            "error: mmcompose init: '-x' is no option; see mmcompose init --help\n",
        ),
        (
            ['review', 'import', 'a.py', '--corrected', 'b.json', '--count', '-1'],
            "error: mmcompose review: '--count' is no option; see mmcompose review --help; "
            "did you mean '--out'?\n",
        ),
        (
            ['--plan', 'a.py'],
            "error: mmcompose: '--plan' is no option; see mmcompose --help; did you mean 'plan'?\n",
        ),
        (
            ['label', 'a.py', '--workers', 'two'],
            "error: mmcompose label: argument --workers: invalid int value: 'two'; "
            'see mmcompose label --help\n',
        ),
        (
            ['label'],
            'error: mmcompose label: the following arguments are required: config; '
            'see mmcompose label --help\n',
        ),
    ],
)
def test_a_mistake_in_arguments_is_one_line(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert (ended.value.code, capsys.readouterr().err) == (2, expected)


def test_the_argument_of_a_function_is_named_by_its_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def add_arguments(parser: ArgumentParser) -> None:
        parser.add_argument('config')
        acts = parser.add_subparsers(dest='what')
        inner = acts.add_parser('one')
        acts.add_parser('other').add_argument('--config')
        inner.add_argument('--ann', dest='ann_file')
        inner.add_argument('-o', '--out')

    def run(args: Namespace) -> None:
        named = ('ann_file', 'out', 'config', 'composition.out')
        raise UserError(*(fault(name, f'is {args.ann_file}') for name in named))

    verb = SimpleNamespace(add_arguments=add_arguments, run=run)
    monkeypatch.setattr(cli, 'module', lambda name: verb)
    with pytest.raises(SystemExit):
        cli.run_verb('label', ['x.py', 'one', '--ann', 'wrong'])
    keys = [line.split(': ')[1] for line in capsys.readouterr().err.splitlines()]
    assert keys == ['--ann', '--out', 'config', 'composition.out']


def _ends(monkeypatch: pytest.MonkeyPatch, run: Any) -> Any:
    """Return the exit code of a verb that does what ``run`` does."""
    verb = SimpleNamespace(PASSES_ON=True, run=run)
    monkeypatch.setattr(cli, 'module', lambda name: verb)
    with pytest.raises(SystemExit) as ended:
        cli.run_verb('label', [])
    return ended.value.code


def test_mistakes_are_a_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(args: Any) -> None:
        raise UserError(fault('a', 'is missing'), fault('b', 'is missing'))

    assert _ends(monkeypatch, run) == 2
    assert capsys.readouterr().err == 'error: a: is missing\nerror: b: is missing\n'


@pytest.mark.parametrize('verb', cli.VERBS)
def test_every_verb_has_a_tool(verb: str) -> None:
    tool = ROOT / 'tools' / f'{verb.replace("-", "_")}.py'
    assert f"run_verb('{verb}')" in tool.read_text()


def test_a_command_leaves_out_only_what_is_known_to_be_idle() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        mute_known_warnings()
        warnings.warn('`torch.cuda.amp.autocast(args...)` is deprecated.', FutureWarning, 2)
        warnings.warn('This DataLoader will create 10 worker processes', UserWarning, 2)
    assert [str(each.message) for each in caught] == [
        'This DataLoader will create 10 worker processes'
    ]
