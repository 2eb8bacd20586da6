"""Packaging, as OpenMMLab's users expect it: setup.py, requirements/, and files for MIM."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_SOURCES = ('configs', 'tools', 'model-index.yml')


def read_sections(name: str) -> Iterator[tuple[str | None, str]]:
    """Yield each requirement of a file, with the ``# [section]`` that it stands under."""
    section = None
    for line in (ROOT / 'requirements' / name).read_text(encoding='utf-8').splitlines():
        heading = re.fullmatch(r'# \[(\w+)\]', line.strip())
        if heading is not None:
            section = heading[1]
        elif line.strip() and not line.startswith('#'):
            yield section, line.strip()


def read_requirements(name: str) -> list[str]:
    """Return the requirements of a file of requirements/."""
    return [requirement for _, requirement in read_sections(name)]


def read_extras() -> dict[str, list[str]]:
    """Return the extras: a section of optional.txt each, and OpenMMLab's usual ones."""
    extras: dict[str, list[str]] = {}
    for section, requirement in read_sections('optional.txt'):
        if section is None:
            raise ValueError(f'requirements/optional.txt: {requirement} stands under no heading')
        extras.setdefault(section, []).append(requirement)
    # FiftyOne replaces OpenCV's build: it is for an environment of its own; atheris is for those
    # who develop mmcompose.
    apart = ('fiftyone', 'atheris')
    extras['all'] = [each for each in read_requirements('optional.txt') if each not in apart]
    extras['mim'] = read_requirements('mminstall.txt')
    extras['tests'] = read_requirements('tests.txt')
    return extras


def read_version() -> str:
    """Return the version without importing the package, which may lack its prerequisites."""
    values: dict[str, str] = {}
    exec((ROOT / 'mmcompose' / 'version.py').read_text(encoding='utf-8'), values)
    return values['__version__']


def read_description() -> str:
    """Return the README."""
    readme = ROOT / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.is_file() else ''


class BuildWithMimFiles(build_py):
    """Put configs and tools where MIM looks for them: in ``mmcompose/.mim``.

    An editable install links them, so that an edited config is the one that runs. Any other build
    copies them into the build folder and leaves the source tree as it was.
    """

    def run(self) -> None:
        """Build as usual, then add the files."""
        super().run()
        package = ROOT if self.editable_mode else Path(self.build_lib)
        target = package / 'mmcompose' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in MIM_SOURCES:
            source = ROOT / name
            if not source.exists():
                continue
            # Windows lets few users make links.
            if self.editable_mode and os.name != 'nt':
                (target / name).symlink_to(os.path.relpath(source, target))
            elif source.is_dir():
                ignored = shutil.ignore_patterns('__pycache__', '*.pyc')
                shutil.copytree(source, target / name, ignore=ignored)
            else:
                shutil.copyfile(source, target / name)


if __name__ == '__main__':
    setup(
        name='mmcompose',
        version=read_version(),
        description='Combine trained MMDetection detectors into one, from unlabeled images',
        long_description=read_description(),
        long_description_content_type='text/markdown',
        author='mmcompose contributors',
        keywords='computer vision, object detection, distillation, pseudo-labels',
        license='Apache-2.0',
        classifiers=[
            'Development Status :: 3 - Alpha',
            'Operating System :: POSIX',
            'Programming Language :: Python :: 3.11',
            'Programming Language :: Python :: 3.12',
            'Topic :: Scientific/Engineering :: Image Recognition',
            'Typing :: Typed',
        ],
        packages=find_packages(include=['mmcompose', 'mmcompose.*']),
        include_package_data=True,
        python_requires='>=3.11',
        install_requires=read_requirements('runtime.txt'),
        extras_require=read_extras(),
        entry_points={'console_scripts': ['mmcompose = mmcompose.cli:main']},
        cmdclass={'build_py': BuildWithMimFiles},
        zip_safe=False,
    )
