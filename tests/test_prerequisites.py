"""The check that runs on import: fake packages on a path of their own, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmcompose import prerequisites

REPOSITORY = Path(__file__).resolve().parent.parent
GOOD = {'torch': '2.13.0+cpu', 'mmcv': '2.1.0', 'mmengine': '0.10.7', 'mmdet': '3.3.0'}

Import = Callable[[dict[str, str | None]], str]


@pytest.fixture
def import_with(tmp_path: Path) -> Import:
    """Import mmcompose where only the given packages can be found; return what it raised."""

    def run(versions: dict[str, str | None]) -> str:
        for name, version in versions.items():
            folder = tmp_path / name
            folder.mkdir()
            # Importing any of them would fail the test.
            most = "mmcv_maximum_version = '2.2.0'\n" if name == 'mmdet' else ''
            (folder / '__init__.py').write_text(f'{most}raise RuntimeError("was imported")\n')
            if version is not None:
                (folder / 'version.py').write_text(f'__version__ = {version!r}\n')
            if name == 'mmcv':
                (folder / '_ext.cpython-311-x86_64-linux-gnu.so').touch()
        (tmp_path / 'pkg_resources').mkdir()
        (tmp_path / 'pkg_resources' / '__init__.py').touch()
        return _import_error(tmp_path)

    return run


def _import_error(path: Path) -> str:
    import packaging

    # packaging is an ordinary requirement: pip has installed it wherever mmcompose is.
    (path / 'packaging').symlink_to(Path(packaging.__file__).parent)
    program = (
        f'import sys\n'
        f'sys.path[:0] = [{str(path)!r}, {str(REPOSITORY)!r}]\n'
        f'try:\n    import mmcompose\nexcept ImportError as error:\n    print(error)\n'
    )
    # -S: nothing that is really installed is seen; -I: nor PYTHONPATH nor the current folder.
    command = [sys.executable, '-I', '-S', '-c', program]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stdout


def test_it_imports_where_everything_fits(import_with: Import) -> None:
    assert import_with(dict(GOOD)) == ''


def test_all_problems_stand_in_one_message_in_the_order_of_installing(import_with: Import) -> None:
    message = import_with({'mmcv': '2.2.0', 'mmengine': '0.10.7'})
    lines = message.splitlines()
    assert lines[1:4] == [
        '  - torch is not installed; need torch>=2.5.0',
        '  - mmcv is 2.2.0; need mmcv>=2.0.0rc4,<2.2.0',
        '  - mmdet is not installed; need mmdet>=3.3.0,<4.0.0',
    ]
    assert lines[5] == '  pip install torch==2.13.0'
    assert '--no-build-isolation "mmcv>=2.0.0rc4,<2.2.0"' in lines[6]
    assert lines[7] == '  pip install "mmdet>=3.3.0,<4.0.0"'
    assert len(lines) == 8


@pytest.mark.parametrize(
    ('name', 'version', 'fits'),
    [
        ('torch', '2.5.0', True),
        ('torch', '1.13.1', False),
        ('torch', '2.20.0a0+git1234', True),
        ('mmcv', '2.0.0rc4', True),
        ('mmcv', '2.0.0rc3', False),
        ('mmcv', '2.2.0rc1', False),
        ('mmengine', '0.10.4', False),
        ('mmengine', '0.11.0', True),
        ('mmdet', '3.2.0', False),
        ('mmdet', '3.10.0', True),
        ('mmdet', '4.0.0', False),
        ('mmdet', 'unknown', False),
    ],
)
def test_ranges(import_with: Import, name: str, version: str, fits: bool) -> None:
    message = import_with({**GOOD, name: version})
    assert (message == '') == fits
    assert fits or f'- {name} is {version}; need {name}' in message


def test_a_version_in_the_init_file_is_found(tmp_path: Path) -> None:
    (tmp_path / '__init__.py').write_text('__version__: str = "3.3.0"\n')
    assert prerequisites.package_version('mmdet', tmp_path) == '3.3.0'


def test_a_fork_that_tells_its_version_only_in_its_metadata_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'forked').mkdir()
    (tmp_path / 'forked' / '__init__.py').touch()
    info = tmp_path / 'somebodys_fork-3.3.1.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: somebodys-fork\nVersion: 3.3.1\n')
    (info / 'top_level.txt').write_text('forked\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = prerequisites.package_folder('forked')
    assert folder == tmp_path / 'forked'
    assert prerequisites.package_version('forked', folder) == '3.3.1'


def test_a_package_that_tells_no_version_is_told(import_with: Import) -> None:
    message = import_with({**GOOD, 'mmdet': None})
    assert 'has no version; need mmdet>=3.3.0,<4.0.0' in message


def test_mmcv_without_compiled_ops_is_told(tmp_path: Path, import_with: Import) -> None:
    (tmp_path / 'mmcv').mkdir()
    for name, version in {**GOOD, 'pkg_resources': '0'}.items():
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / '__init__.py').touch()
        (tmp_path / name / 'version.py').write_text(f'__version__ = {version!r}\n')
    message = _import_error(tmp_path)
    assert 'mmcv 2.1.0 has no compiled ops (mmcv-lite?)' in message
    assert len(message.splitlines()) == 4


def test_a_fork_of_mmdet_decides_which_mmcv_fits(tmp_path: Path, import_with: Import) -> None:
    # OneDL's: newer versions of all three, and an mmdet that refuses no mmcv.
    forks = {'mmcv': '2.3.6', 'mmengine': '0.10.12', 'mmdet': '3.5.1'}
    assert 'mmcv is 2.3.6; need mmcv>=2.0.0rc4,<2.2.0' in import_with({**GOOD, **forks})
    (tmp_path / 'mmdet' / '__init__.py').write_text('raise RuntimeError("was imported")\n')
    (tmp_path / 'packaging').unlink()
    assert _import_error(tmp_path) == ''


def test_a_fork_of_mmengine_needs_no_pkg_resources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'utils').mkdir()
    (tmp_path / 'utils' / 'package_utils.py').write_text('import importlib.metadata\n')
    folders = {'pkg_resources': None, 'mmengine': tmp_path}
    find = prerequisites.package_folder
    monkeypatch.setattr(
        prerequisites, 'package_folder', lambda n: folders[n] if n in folders else find(n)
    )
    assert not any('pkg_resources' in text for text, _ in prerequisites.find_problems())


def test_setuptools_without_pkg_resources_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    find = prerequisites.package_folder
    hidden = {'pkg_resources'}
    monkeypatch.setattr(
        prerequisites, 'package_folder', lambda name: None if name in hidden else find(name)
    )
    with pytest.raises(ImportError, match='pip install "setuptools<81"'):
        prerequisites.require_prerequisites()


def test_a_folder_that_merely_bears_the_name_is_not_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'mmnothing' / 'configs').mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert prerequisites.package_folder('mmnothing') is None


def test_importing_mmcompose_imports_nothing_heavy() -> None:
    program = (
        'import sys, mmcompose\n'
        'print([name for name in ("torch", "mmcv", "mmdet", "mmengine", "numpy")'
        ' if name in sys.modules])'
    )
    command = [sys.executable, '-c', program]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert result.stdout.strip() == '[]'


def test_the_ranges_are_those_of_mminstall() -> None:
    lines = (REPOSITORY / 'requirements' / 'mminstall.txt').read_text().splitlines()
    required = {line for line in lines if line and not line.startswith('#')}
    assert required == {item.name + item.versions for item in prerequisites.PREREQUISITES}
