"""What a user gets who installs a wheel."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from email.message import Message
from importlib.metadata import Distribution, distributions, packages_distributions
from pathlib import Path

import pytest
from mmengine.config import Config
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = ('configs', 'mmcompose', 'requirements', 'tools')
FILES = ('MANIFEST.in', 'constraints.txt', 'model-index.yml', 'setup.py')


def _run(*command: str, cwd: Path, **environment: str) -> str:
    result = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree: building in place would leave files in the developer's own."""
    copy = tmp_path_factory.mktemp('source')
    ignored = shutil.ignore_patterns('__pycache__', '.mim', 'work_dirs')
    for name in SOURCES:
        shutil.copytree(REPOSITORY / name, copy / name, ignore=ignored)
    for name in FILES:
        shutil.copyfile(REPOSITORY / name, copy / name)
    (copy / 'configs' / '_base_').mkdir(exist_ok=True)
    (copy / 'configs' / '_base_' / 'probe.py').write_text('answer = 42\n')
    (copy / 'tools' / 'probe.sh').write_text('true\n')
    return copy


@pytest.fixture(scope='module')
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which a wheel made of the tree is installed."""
    wheels, target = tmp_path_factory.mktemp('wheels'), tmp_path_factory.mktemp('target')
    pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check', '--no-input']
    before = {path.relative_to(source) for path in source.rglob('*')}
    options = ['--no-deps', '--no-build-isolation', '--no-index', '-w', str(wheels)]
    _run(*pip, 'wheel', *options, '.', cwd=source)
    left = {path.relative_to(source).parts[0] for path in source.rglob('*')}
    left -= {path.parts[0] for path in before}
    assert left <= {'build', 'mmcompose.egg-info'}
    assert not (source / 'mmcompose' / '.mim').exists()
    (wheel,) = wheels.glob('mmcompose-*.whl')
    options = ['--no-deps', '--no-index', '--no-compile', '--target', str(target)]
    _run(*pip, 'install', *options, str(wheel), cwd=wheels)
    return target


def _files(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob('*') if path.is_file())
    return {str(path.relative_to(folder)) for path in paths if '__pycache__' not in path.parts}


@pytest.mark.parametrize('folder', ['configs', 'tools'])
def test_a_wheel_carries_what_mim_looks_for(source: Path, installed: Path, folder: str) -> None:
    carried = _files(installed / 'mmcompose' / '.mim' / folder)
    assert carried == _files(source / folder)
    assert any('probe' in name for name in carried)
    assert (installed / 'mmcompose' / '.mim' / 'model-index.yml').is_file()


def test_mim_runs_the_tools_of_a_wheel(installed: Path, tmp_path: Path) -> None:
    # It asks a tool for its help first, to see whether it knows --gpus.
    train = installed / 'mmcompose' / '.mim' / 'tools' / 'train.py'
    output = _run(sys.executable, str(train), '-h', cwd=tmp_path, PYTHONPATH=str(installed))
    assert '--work-dir' in output and '--gpus' not in output
    assert list(tmp_path.iterdir()) == []


def test_mim_finds_a_config_of_a_wheel_by_its_name(installed: Path) -> None:
    configs = list((installed / 'mmcompose' / '.mim' / 'configs').rglob('*.py'))
    named = [path for path in configs if '_base_' not in path.parts]
    assert len(named) == len({path.name for path in named})
    compose = [path for path in named if 'compose' in path.parts]
    read = {path.stem: Config.fromfile(path, import_custom_modules=False) for path in compose}
    # What a composition is held against learns from the labels of a file.
    without = {name for name, config in read.items() if 'composition' not in config}
    oracles = {'oracle', 'oracle_features', 'oracle_mosaic'}
    assert without == {'labelled', *oracles, 'scoring', 'semi_supervised', 'supervised'}
    assert all(config.composition.label_pipeline for n, config in read.items() if n not in without)


def test_a_wheel_carries_every_file_of_the_package(source: Path, installed: Path) -> None:
    carried = {name for name in _files(installed / 'mmcompose') if not name.startswith('.mim/')}
    assert carried == _files(source / 'mmcompose')
    assert 'py.typed' in carried


def test_an_installed_package_is_importable_elsewhere(installed: Path, tmp_path: Path) -> None:
    program = 'import mmcompose; print(mmcompose.__file__)'
    output = _run(sys.executable, '-c', program, cwd=tmp_path, PYTHONPATH=str(installed))
    assert Path(output.strip()) == installed / 'mmcompose' / '__init__.py'


def test_an_editable_install_links_instead_of_copying(source: Path, tmp_path: Path) -> None:
    tree = tmp_path / 'tree'
    shutil.copytree(source, tree, ignore=shutil.ignore_patterns('build', '*.egg-info'))
    program = f'from setuptools import build_meta; build_meta.build_editable({str(tmp_path)!r})'
    _run(sys.executable, '-c', program, cwd=tree)
    mim = tree / 'mmcompose' / '.mim'
    assert (mim / 'configs').is_symlink() and (mim / 'tools').is_symlink()
    assert (mim / 'configs').resolve() == tree / 'configs'


def _metadata(installed: Path) -> tuple[Message, Distribution]:
    (distribution,) = distributions(name='mmcompose', path=[str(installed)])
    return distribution.metadata, distribution


def test_forks_are_not_shut_out_by_distribution_names(installed: Path) -> None:
    _, distribution = _metadata(installed)
    required = [Requirement(text) for text in distribution.requires or []]
    always = {item.name for item in required if item.marker is None}
    assert {'numpy', 'pyarrow', 'setuptools'} <= always
    assert not always & {'torch', 'mmcv', 'mmdet', 'mmengine'}


def test_extras(installed: Path) -> None:
    metadata, distribution = _metadata(installed)
    extras = set(metadata.get_all('Provides-Extra', []))
    assert {'onnx', 'hf', 'http', 'ray', 'all', 'mim', 'tests'} <= extras
    required = [Requirement(text) for text in distribution.requires or []]
    onnx = {r.name for r in required if r.marker and r.marker.evaluate({'extra': 'onnx'})}
    assert onnx == {'onnx', 'onnxruntime'}


def _requirements(*names: str) -> dict[str, Requirement]:
    """Return the requirements of files of requirements/, by canonical name."""
    found = {}
    for name in names:
        for line in (REPOSITORY / 'requirements' / f'{name}.txt').read_text().splitlines():
            if line.strip() and not line.startswith('#'):
                requirement = Requirement(line)
                found[canonicalize_name(requirement.name)] = requirement
    return found


def _pins() -> dict[str, str]:
    lines = (REPOSITORY / 'constraints.txt').read_text().splitlines()
    found = [re.fullmatch(r'([\w.-]+)==([\w.]+)', line) for line in lines if line[:1] != '#']
    assert all(found), 'every line of constraints.txt pins one exact version, with no local part'
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def test_every_pin_lies_in_its_range() -> None:
    pins = _pins()
    for name, requirement in _requirements('build', 'mminstall', 'runtime', 'tests').items():
        assert requirement.specifier.contains(pins[name]), requirement


@pytest.mark.parametrize('name', ['build', 'runtime'])
def test_setuptools_still_has_what_mmengine_imports(name: str) -> None:
    # pkg_resources: to compile mmcv, and at run time for every `mmdet::` config.
    assert not _requirements(name)['setuptools'].specifier.contains('81.0.0')


def test_all_that_the_environment_needs_is_pinned() -> None:
    pins, seen = _pins(), set()
    waiting = list(_requirements('build', 'mminstall', 'runtime', 'tests'))
    installed = {canonicalize_name(item.name): item for item in distributions()}
    while waiting:
        name = waiting.pop()
        # A CUDA build of torch pins its own libraries.
        if name in seen or name.startswith(('nvidia-', 'cuda-')) or name == 'triton':
            continue
        seen.add(name)
        assert name in pins, f'{name} is not pinned in constraints.txt'
        for text in installed[name].requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({'extra': ''}):
                waiting.append(canonicalize_name(requirement.name))


def test_what_tests_compare_with_is_pinned_and_installed_as_pinned() -> None:
    pins = _pins()
    folder = [str(Path(sys.prefix) / 'reference')]
    installed = {canonicalize_name(item.name): item.version for item in distributions(path=folder)}
    assert installed == {name: pins[name] for name in _requirements('reference')}


def test_every_import_is_a_declared_requirement() -> None:
    distributions_of = packages_distributions()
    declared = set(_requirements('runtime', 'mminstall', 'optional'))
    for file in (REPOSITORY / 'mmcompose').rglob('*.py'):
        if '.mim' in file.parts:
            continue
        for module in _imported(ast.parse(file.read_text(encoding='utf-8'))):
            if module in sys.stdlib_module_names or module == 'mmcompose':
                continue
            names = distributions_of.get(module, [module])
            known = {canonicalize_name(name) for name in names} & declared
            assert known, f'{file.relative_to(REPOSITORY)} imports {module}: no requirement'


def _imported(tree: ast.AST) -> set[str]:
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules.add(node.module.partition('.')[0])
    return modules
