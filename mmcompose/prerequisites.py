"""What setup.py cannot require of pip: torch and the OpenMMLab packages.

Forks publish them under other distribution names, so what counts is what can be imported. This
runs on every ``import mmcompose``: it finds packages and reads their version files, and imports
none of them. It stands outside ``mmcompose.utils``, which itself needs MMEngine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

_VERSION_LINE = re.compile(r"""^__version__\s*(?::[^=]+)?=\s*['"]([^'"]+)['"]""", re.MULTILINE)
_MMCV_MAXIMUM = re.compile(r"""^mmcv_maximum_version\s*=\s*['"]([^'"]+)['"]""", re.MULTILINE)
# Of MMEngine, where it looks for installed packages; a fork does so without pkg_resources.
_LOOKS_FOR_PACKAGES = Path('utils', 'package_utils.py')


@dataclass(frozen=True)
class Prerequisite:
    """A package that must be importable, in a range of versions.

    Args:
        name: The import name.
        versions: The range, as pip writes it.
        install: The command that installs a version of that range.
    """

    name: str
    versions: str
    install: str


# In the order in which they are installed: mmcv compiles against torch.
PREREQUISITES = (
    # A range would let pip take a newer torch, against which mmcv 2.1 does not compile.
    Prerequisite('torch', '>=2.5.0', 'pip install torch==2.13.0'),
    Prerequisite(
        'mmcv',
        '>=2.0.0rc4,<2.2.0',
        'pip install "setuptools<81" wheel ninja && '
        'pip install --no-build-isolation "mmcv>=2.0.0rc4,<2.2.0"',
    ),
    Prerequisite('mmengine', '>=0.10.5,<1.0.0', 'pip install "mmengine>=0.10.5,<1.0.0"'),
    Prerequisite('mmdet', '>=3.3.0,<4.0.0', 'pip install "mmdet>=3.3.0,<4.0.0"'),
)


def package_folder(name: str) -> Path | None:
    """Return the folder of an importable package without importing it, or None."""
    spec = find_spec(name)
    # A folder without __init__.py, say of configs, that happens to bear the name has no origin.
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def package_version(name: str, folder: Path) -> str | None:
    """Return the version of an importable package without importing it, or None if it has none.

    Args:
        name: The import name.
        folder: Its folder; see :func:`package_folder`.
    """
    for file in (folder / 'version.py', folder / '__init__.py'):
        if file.is_file():
            match = _VERSION_LINE.search(file.read_text(encoding='utf-8', errors='replace'))
            if match is not None:
                return match[1]
    return _distribution_version(name)


def _distribution_version(name: str) -> str | None:
    # Imported here: reading the metadata of all that is installed takes a tenth of a second.
    from importlib.metadata import packages_distributions, version

    distributions = packages_distributions().get(name, [])
    return version(distributions[0]) if distributions else None


def _versions(prerequisite: Prerequisite) -> str:
    """Return the range that is allowed: of mmcv, up to where the installed mmdet itself allows it.

    MMDetection refuses a newer mmcv when it is imported; a maintained fork may refuse none.
    """
    folder = package_folder('mmdet') if prerequisite.name == 'mmcv' else None
    if folder is None:
        return prerequisite.versions
    text = (folder / '__init__.py').read_text(encoding='utf-8', errors='replace')
    least = prerequisite.versions.split(',')[0]
    most = _MMCV_MAXIMUM.search(text)
    return f'{least},<{most[1]}' if most is not None else least


def _problem(prerequisite: Prerequisite) -> str | None:
    name, versions = prerequisite.name, _versions(prerequisite)
    folder = package_folder(name)
    if folder is None:
        return f'{name} is not installed; need {name}{versions}'
    found = package_version(name, folder)
    if found is None:
        return f'{name} in {folder} has no version; need {name}{versions}'
    try:
        fits = SpecifierSet(versions).contains(Version(found), prereleases=True)
    except InvalidVersion:
        fits = False
    if not fits:
        return f'{name} is {found}; need {name}{versions}'
    if name == 'mmcv' and not any(folder.glob('_ext*')):
        return f'mmcv {found} has no compiled ops (mmcv-lite?); need the full mmcv{versions}'
    return None


def find_problems() -> list[tuple[str, str]]:
    """Return what is missing or does not fit, each with the command that mends it."""
    found = [(_problem(prerequisite), prerequisite.install) for prerequisite in PREREQUISITES]
    problems = [(text, install) for text, install in found if text is not None]
    if _needs_pkg_resources() and package_folder('pkg_resources') is None:
        text = 'pkg_resources, which MMEngine imports, is not installed; need setuptools<81'
        problems.append((text, 'pip install "setuptools<81"'))
    return problems


def _needs_pkg_resources() -> bool:
    folder = package_folder('mmengine')
    file = None if folder is None else folder / _LOOKS_FOR_PACKAGES
    # Where MMEngine is missing as well, what the usual one needs is listed at once.
    return file is None or not file.is_file() or 'pkg_resources' in file.read_text('utf-8')


def require_prerequisites() -> None:
    """Check everything at once.

    Raises:
        ImportError: If anything is missing or does not fit; the message names all of it and the
            commands that install it.
    """
    problems = find_problems()
    if problems:
        lines = ['mmcompose cannot run with what is installed here:']
        lines += [f'  - {text}' for text, _ in problems]
        lines += ['Run, in this order:', *(f'  {install}' for _, install in problems)]
        raise ImportError('\n'.join(lines))
