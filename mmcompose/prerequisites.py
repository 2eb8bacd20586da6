"""What setup.py cannot ask pip for: torch and the OpenMMLab packages.

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


def _problem(prerequisite: Prerequisite) -> str | None:
    name, versions = prerequisite.name, prerequisite.versions
    folder = package_folder(name)
    if folder is None:
        return f'{name} is not installed; need {name}{versions}'
    found = package_version(name, folder)
    if found is None:
        return f'{name} in {folder} tells no version; need {name}{versions}'
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
    if package_folder('pkg_resources') is None:
        text = 'pkg_resources, which MMEngine imports, is not installed; need setuptools<81'
        problems.append((text, 'pip install "setuptools<81"'))
    return problems


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
