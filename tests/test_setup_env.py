"""What ``make`` does before anything else: choose a Python, and know a complete .venv."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / 'scripts'


@pytest.fixture
def setup_env(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location('setup_env', SCRIPTS / 'setup_env.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their own module up.
    monkeypatch.setitem(sys.modules, 'setup_env', module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project with what decides what is installed."""
    (tmp_path / 'requirements').mkdir()
    (tmp_path / 'mmcompose').mkdir()
    (tmp_path / 'requirements' / 'runtime.txt').write_text('numpy\n')
    (tmp_path / 'constraints.txt').write_text('# why\nnumpy==2.4.6\nmmcv==2.1.0\ntorch==2.13.0\n')
    (tmp_path / 'setup.py').touch()
    (tmp_path / 'mmcompose' / 'version.py').touch()
    return tmp_path


def _venv(tree: Path) -> Path:
    (tree / '.venv' / 'bin').mkdir(parents=True)
    (tree / '.venv' / 'bin' / 'python').touch()
    return tree / '.venv' / 'mmcompose-setup.json'


def test_a_complete_environment_is_left_alone(
    setup_env: ModuleType, tree: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _venv(tree).write_text(json.dumps(setup_env.stamp_of(tree)))
    setup_env.Setup(tree, {})()
    assert capfd.readouterr().out == ''


@pytest.mark.parametrize('changed', ['constraints.txt', 'requirements/runtime.txt', 'setup.py'])
def test_changed_requirements_are_noticed(setup_env: ModuleType, tree: Path, changed: str) -> None:
    before = setup_env.stamp_of(tree)
    with open(tree / changed, 'a') as file:
        file.write('rich==15.0.0\n')
    after = setup_env.stamp_of(tree)
    assert before['inputs'] != after['inputs']
    assert before['place'] == after['place']


def test_an_unfinished_environment_does_not_count(setup_env: ModuleType, tree: Path) -> None:
    stamp_file = _venv(tree)
    assert setup_env.read_stamp(stamp_file) == {}
    stamp_file.write_text(json.dumps(setup_env.stamp_of(tree)))
    assert setup_env.read_stamp(stamp_file) == setup_env.stamp_of(tree)
    # Its Python was uninstalled since.
    (tree / '.venv' / 'bin' / 'python').unlink()
    assert setup_env.read_stamp(stamp_file) == {}


def test_a_failing_step_leaves_no_stamp(
    setup_env: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp_file = _venv(tree)
    stamp_file.write_text(json.dumps({**setup_env.stamp_of(tree), 'inputs': 'of last week'}))
    monkeypatch.setattr(setup_env, 'check_compiler', lambda environment: None)

    def fail(self: object, afresh: bool) -> None:
        assert not afresh, 'changed requirements alone are mended in place'
        raise setup_env.SetupError('no network')

    monkeypatch.setattr(setup_env.Setup, '_make_venv', fail)
    with pytest.raises(setup_env.SetupError, match='no network'):
        setup_env.Setup(tree, {})()
    assert not stamp_file.exists()


def test_a_failing_command_shows_its_output_and_names_its_log(
    setup_env: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    step = setup_env.Step(2, 'torch', tmp_path / 'log')
    with pytest.raises(setup_env.SetupError, match=r'step 2 \(torch\) failed.*log'):
        step.run(['sh', '-c', 'echo no such version; exit 1'])
    captured = capfd.readouterr()
    assert '[2/5] torch' in captured.out
    assert 'no such version' in captured.err


def test_the_compiled_mmcv_is_kept_apart_by_what_it_was_compiled_against(
    setup_env: ModuleType, tmp_path: Path
) -> None:
    keys = {
        setup_env.wheel_key('2.13.0+cpu', None),
        setup_env.wheel_key('2.12.0+cpu', None),
        setup_env.wheel_key('2.13.0', None),
        setup_env.wheel_key('2.13.0', 'sm_86'),
    }
    assert len(keys) == 4
    assert all(os.sep not in key and key.startswith('cp3') for key in keys)
    assert setup_env.cache_folder({'MMCOMPOSE_CACHE': str(tmp_path)}) == tmp_path / 'wheels'


def test_a_compilation_that_fails_leaves_nothing_behind(
    setup_env: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _venv(tree)
    folder = tree / 'cache'
    setup = setup_env.Setup(tree, {})
    # Half a wheel is written, and the compiler fails.
    script = 'for last; do :; done; touch "$5/mmcv-2.1.0-half.whl"; exit 1'
    monkeypatch.setattr(setup, '_pip', lambda *arguments: ['sh', '-c', script, 'pip', *arguments])
    with pytest.raises(setup_env.SetupError):
        setup._compile_mmcv(setup_env.Step(3, 'mmcv', tree / 'log'), folder)
    assert list(folder.iterdir()) == []


def test_mmcv_is_compiled_fast_against_the_torch_that_is_there(
    setup_env: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _venv(tree)
    setup = setup_env.Setup(tree, {'PATH': '/usr/bin', 'MAX_JOBS': '3'})
    ran: list[tuple[list[str], dict[str, str]]] = []
    step = setup_env.Step(3, 'mmcv', tree / 'log')
    monkeypatch.setattr(step, 'run', lambda command, env, told: ran.append((command, env)))
    setup._compile_mmcv(step, tree / 'cache')
    ((command, environment),) = ran
    assert '--no-build-isolation' in command and 'mmcv==2.1.0' in command
    # Debug symbols and optimisation are most of the time.
    assert environment['CFLAGS'] == '-g0 -O1'
    assert environment['MMCV_WITH_OPS'] == '1'
    assert environment['MAX_JOBS'] == '3'
    assert environment['PATH'] == f'{tree / ".venv" / "bin"}:/usr/bin'


def test_the_progress_of_compiling_is_read_from_ninja(setup_env: ModuleType) -> None:
    assert setup_env.ninja_progress('Collecting mmcv\n') == ''
    assert setup_env.ninja_progress('[1/85] c++ a\n[12/85] c++ b\n') == '(12 of 85 files)'


def test_a_missing_compiler_is_told(setup_env: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(setup_env.SetupError, match='no C\\+\\+ compiler was found'):
        setup_env.check_compiler({'PATH': str(tmp_path)})
    with pytest.raises(setup_env.SetupError, match='my-compiler'):
        setup_env.check_compiler({'PATH': os.environ['PATH'], 'CXX': 'my-compiler -m64'})


def test_missing_headers_are_told(
    setup_env: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / 'g++'
    compiler.write_text('#!/bin/sh\n')
    compiler.chmod(0o755)
    monkeypatch.setattr(setup_env.sysconfig, 'get_path', lambda name: str(tmp_path))
    with pytest.raises(setup_env.SetupError, match=r'headers are missing .*Python\.h'):
        setup_env.check_compiler({'PATH': str(tmp_path)})


def test_what_tests_compare_with_is_kept_out_of_sight(
    setup_env: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _venv(tree)
    setup = setup_env.Setup(tree, {})
    old = tree / '.venv' / 'reference' / 'of_last_week'
    old.mkdir(parents=True)
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(setup, '_pip', lambda *arguments: commands.append(arguments) or ['true'])
    setup._install_rest()
    assert not old.exists()
    ordinary, reference = commands
    assert 'requirements/tests.txt' in ordinary
    assert 'requirements/reference.txt' not in ordinary
    assert reference[-2:] == ('-r', 'requirements/reference.txt')
    # With their dependencies, another torch could come along.
    assert '--no-deps' in reference
    assert reference[reference.index('--target') + 1] == str(old.parent)


def _choose(scripts: Path, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    bash = shutil.which('bash')
    assert bash is not None
    for tool in ('dirname',):
        found = shutil.which(tool)
        assert found is not None
        if not (path / tool).exists():
            (path / tool).symlink_to(found)
    command = [bash, str(scripts / 'setup_env.sh')]
    env = {'PATH': str(path), **environment}
    return subprocess.run(command, capture_output=True, text=True, env=env)


def _fake_python(file: Path, fits: bool) -> None:
    """A Python that says whether it fits, or else what it was asked to run."""
    status = 0 if fits else 1
    file.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit {status}\necho "${{0##*/}} ${{1##*/}}"\n')
    file.chmod(0o755)


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A copy of the script in a tree without .venv."""
    folder = tmp_path / 'tree' / 'scripts'
    folder.mkdir(parents=True)
    shutil.copyfile(SCRIPTS / 'setup_env.sh', folder / 'setup_env.sh')
    return folder


def test_no_fitting_python_is_told_in_one_line(scripts: Path, tmp_path: Path) -> None:
    _fake_python(tmp_path / 'python3', fits=False)
    result = _choose(scripts, tmp_path)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert 'Python 3.11 or 3.12' in result.stderr


def test_a_python_that_does_not_fit_is_passed_over(scripts: Path, tmp_path: Path) -> None:
    _fake_python(tmp_path / 'python3.11', fits=False)
    _fake_python(tmp_path / 'python3.12', fits=True)
    assert _choose(scripts, tmp_path).stdout == 'python3.12 setup_env.py\n'


def test_the_python_that_was_asked_for_is_taken_or_refused(scripts: Path, tmp_path: Path) -> None:
    _fake_python(tmp_path / 'python3.11', fits=True)
    _fake_python(tmp_path / 'mine', fits=True)
    assert _choose(scripts, tmp_path, PYTHON='mine').stdout == 'mine setup_env.py\n'
    result = _choose(scripts, tmp_path, PYTHON='python2')
    assert result.returncode == 2
    assert 'PYTHON=python2 is not a Python 3.11 or 3.12' in result.stderr
