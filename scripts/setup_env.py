"""Make .venv with all that demo and tests need; where it is complete already, do nothing.

Run by ``make`` through setup_env.sh, with a Python 3.11 or 3.12 and nothing but its standard
library. What makes a ``.venv`` complete is a stamp, written last: an interrupted set-up leaves
none, and the next call starts afresh.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = 5

# Run by the new environment's Python: what a compiled mmcv depends on.
_PROBE = """
import json, torch
from torch.utils.cpp_extension import CUDA_HOME
cuda = torch.cuda.is_available()
print(json.dumps(dict(
    torch=torch.__version__,
    nvcc=CUDA_HOME,
    gpu='sm_%d%d' % torch.cuda.get_device_capability() if cuda else None)))
"""


class SetupError(Exception):
    """Something that the person at the keyboard can mend, told in one line."""


# --- what is there already ---------------------------------------------------------------------


def read_pins(constraints: Path) -> dict[str, str]:
    """Return the version of each package that constraints.txt pins, by lower-case name."""
    lines = constraints.read_text(encoding='utf-8').splitlines()
    pins = (line.split('==') for line in lines if '==' in line and not line.startswith('#'))
    return {name.strip().lower(): version.strip() for name, version in pins}


def stamp_of(root: Path) -> dict[str, str]:
    """Return what a complete .venv of this tree would be stamped with.

    Its ``inputs`` change with anything that decides what is installed, ``place`` and ``python``
    with what no update in place can mend: the scripts of an environment hold its path.
    """
    files = [root / 'constraints.txt', *sorted((root / 'requirements').glob('*.txt'))]
    files += [root / 'setup.py', root / 'mmcompose' / 'version.py', Path(__file__)]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f'{file.name}\0{file.stat().st_size}\0'.encode())
        digest.update(file.read_bytes())
    version = '.'.join(map(str, sys.version_info[:3]))
    return {'inputs': digest.hexdigest(), 'place': str(root), 'python': version}


def read_stamp(stamp_file: Path) -> dict[str, str]:
    """Return what a .venv was stamped with; nothing if it was never finished."""
    python = stamp_file.parent / 'bin' / 'python'
    if not stamp_file.is_file() or not python.exists():
        return {}
    stamp: dict[str, str] = json.loads(stamp_file.read_text(encoding='utf-8'))
    return stamp


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of compiled wheels: ``$MMCOMPOSE_CACHE/wheels``."""
    cache = environment.get('MMCOMPOSE_CACHE') or Path.home() / '.cache' / 'mmcompose'
    return Path(cache).expanduser().absolute() / 'wheels'


def wheel_key(torch: str, gpu: str | None) -> str:
    """Return the name of the cache's folder for what a compiled mmcv depends on.

    Args:
        torch: torch's version with its local part, such as ``2.13.0+cpu``.
        gpu: The GPU's architecture, such as ``sm_86``; None compiles for the CPU alone.
    """
    python = f'cp{sys.version_info[0]}{sys.version_info[1]}'
    platform = re.sub(r'\W', '_', sysconfig.get_platform())
    return '-'.join([python, platform, f'torch{torch}', *([gpu] if gpu else [])])


def check_compiler(environment: Mapping[str, str]) -> None:
    """Raise unless a C++ compiler and Python's headers are there."""
    compilers = [environment['CXX']] if environment.get('CXX') else ['c++', 'g++']
    path = environment.get('PATH')
    if not any(shutil.which(compiler.split()[0], path=path) for compiler in compilers):
        raise SetupError(
            f'mmcv must be compiled, and no C++ compiler was found ({" or ".join(compilers)}); '
            'install one (Debian, Ubuntu: apt-get install g++) or name it in CXX'
        )
    headers = Path(sysconfig.get_path('include')) / 'Python.h'
    if not headers.is_file():
        version = f'{sys.version_info[0]}.{sys.version_info[1]}'
        raise SetupError(
            f"mmcv must be compiled, and Python's headers are missing ({headers}); install them "
            f'(Debian, Ubuntu: apt-get install python{version}-dev)'
        )


# --- doing it ----------------------------------------------------------------------------------


@dataclass
class Step:
    """One numbered line of progress, and the commands that run under it."""

    number: int
    title: str
    log: Path

    def __post_init__(self) -> None:
        print(f'[{self.number}/{STEPS}] {self.title}', flush=True)

    def run(
        self,
        command: list[str],
        environment: Mapping[str, str] | None = None,
        told: Callable[[str], str] = lambda log: '',
    ) -> None:
        """Run a command with its output in the log, and tell the time while it lasts.

        Args:
            command: Program and arguments.
            environment: Its environment; this process's if None.
            told: Makes a few words on how far it has come from what it printed.

        Raises:
            SetupError: If it fails; the end of its output is printed before.
        """
        begin = told_last = time.monotonic()
        # A terminal is told often, on one line; a log file once a minute.
        every, line = (2, '{:<60}\r') if sys.stdout.isatty() else (60, '{}\n')
        with open(self.log, 'wb') as log:
            # In a session of its own, so that compilers too can be ended with it.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=ROOT,
                start_new_session=True,
            )
            try:
                while process.poll() is None:
                    time.sleep(0.2)
                    if time.monotonic() - told_last >= every:
                        told_last = time.monotonic()
                        words = told(self.log.read_text(encoding='utf-8', errors='replace'))
                        come = f'      {told_last - begin:.0f} s {words}'
                        print(line.format(come), end='', flush=True)
            except BaseException:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
                raise
        if process.returncode != 0:
            output = self.log.read_text(encoding='utf-8', errors='replace').splitlines()
            print('\n'.join(output[-30:]), file=sys.stderr)
            raise SetupError(
                f'step {self.number} ({self.title}) failed; all of its output is in {self.log}'
            )


def ninja_progress(log: str) -> str:
    """Return the last ``[3/85]`` of ninja's output in words; nothing before it starts."""
    counts = re.findall(r'\[(\d+)/(\d+)\]', log)
    return f'({counts[-1][0]} of {counts[-1][1]} files)' if counts else ''


class Setup:
    """The five steps.

    Args:
        root: The project's folder.
        environment: Environment variables.
    """

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.root = root
        self.environment = dict(environment)
        self.venv = root / '.venv'
        self.stamp_file = self.venv / 'mmcompose-setup.json'
        self.log = self.venv / 'mmcompose-setup.log'
        self.pins = read_pins(root / 'constraints.txt')

    def __call__(self) -> None:
        """Make .venv complete, if it is not."""
        wanted, found = stamp_of(self.root), read_stamp(self.stamp_file)
        if wanted == found:
            return
        begin = time.monotonic()
        print('Setting up .venv (a few minutes, and about 8 more where mmcv must be compiled)')
        tag = f'cp{sys.version_info[0]}{sys.version_info[1]}-'
        if not any(cache_folder(self.environment).glob(f'{tag}*/mmcv-*.whl')):
            check_compiler(self.environment)
        # From here on .venv is not complete, whatever happens.
        self.stamp_file.unlink(missing_ok=True)
        self._make_venv(afresh=any(wanted[key] != found.get(key) for key in ('place', 'python')))
        self._install_torch()
        self._install_mmcv()
        self._install_rest()
        self._install_mmcompose()
        self.stamp_file.write_text(json.dumps(wanted, indent=1), encoding='utf-8')
        print(f'.venv is ready ({time.monotonic() - begin:.0f} s)', flush=True)

    def _pip(self, *arguments: str) -> list[str]:
        options = ['--disable-pip-version-check', '--no-input']
        return [str(self.venv / 'bin' / 'python'), '-m', 'pip', *options, *arguments]

    def _pinned(self, *names: str) -> list[str]:
        return [f'{name}=={self.pins[name]}' for name in names]

    def _make_venv(self, afresh: bool) -> None:
        version = '.'.join(map(str, sys.version_info[:3]))
        title = f'Python environment in .venv (Python {version})'
        if afresh:
            shutil.rmtree(self.venv, ignore_errors=True)
            self.venv.mkdir()
        step = Step(1, title if afresh else 'Updating .venv', self.log)
        if afresh:
            # Not this process's own Python, which may be that of the .venv just removed.
            python = getattr(sys, '_base_executable', sys.executable)
            step.run([python, '-m', 'venv', str(self.venv)])
        step.run(self._pip('install', *self._pinned('pip', 'setuptools', 'wheel', 'ninja')))

    def _install_torch(self) -> None:
        step = Step(2, f'torch {self.pins["torch"]}', self.log)
        # With NumPy, or torch warns about its absence as soon as it is imported.
        names = self._pinned('numpy', 'torch')
        step.run(self._pip('install', '-c', 'constraints.txt', *names))

    def _install_mmcv(self) -> None:
        command = [str(self.venv / 'bin' / 'python'), '-c', _PROBE]
        probe = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        facts = json.loads(probe.stdout.splitlines()[-1])
        folder = cache_folder(self.environment) / wheel_key(facts['torch'], facts['gpu'])
        pattern = f'mmcv-{self.pins["mmcv"]}-*.whl'
        wheels = list(folder.glob(pattern))
        if wheels:
            step = Step(3, f'mmcv {self.pins["mmcv"]}, compiled before', self.log)
        else:
            check_compiler(self.environment)
            if facts['gpu'] is not None and facts['nvcc'] is None:
                raise SetupError(
                    'mmcv must be compiled for the GPU of this machine, and no CUDA compiler was '
                    'found (nvcc); install the CUDA toolkit and set CUDA_HOME, or hide the GPU: '
                    'CUDA_VISIBLE_DEVICES= make ...'
                )
            title = f'Compiling mmcv {self.pins["mmcv"]} (about 8 minutes, once: kept in {folder})'
            step = Step(3, title, self.log)
            self._compile_mmcv(step, folder)
            wheels = list(folder.glob(pattern))
        # Forced: a wheel for another torch may be what an updated .venv holds.
        step.run(self._pip('install', '--no-deps', '--force-reinstall', str(wheels[0])))

    def _compile_mmcv(self, step: Step, folder: Path) -> None:
        environment = {
            'CFLAGS': '-g0 -O1',
            'MAX_JOBS': str(os.cpu_count() or 1),
            **self.environment,
            'MMCV_WITH_OPS': '1',
            # torch looks for ninja on the PATH.
            'PATH': f'{self.venv / "bin"}{os.pathsep}{self.environment.get("PATH", os.defpath)}',
        }
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix='.building-', dir=folder) as building:
            # pip's own cache would give a wheel that was compiled against any other torch.
            options = ['--no-deps', '--no-build-isolation', '--no-cache-dir', '--verbose']
            command = self._pip('wheel', *options, '-w', building, *self._pinned('mmcv'))
            step.run(command, environment, ninja_progress)
            for wheel in Path(building).glob('*.whl'):
                # Renamed within one file system: there is never half a wheel.
                os.replace(wheel, folder / wheel.name)

    def _install_rest(self) -> None:
        step = Step(4, 'MMDetection, MMEngine and everything else', self.log)
        names = ('build', 'mminstall', 'runtime', 'tests')
        files = [argument for name in names for argument in ('-r', f'requirements/{name}.txt')]
        step.run(self._pip('install', '-c', 'constraints.txt', *files))
        # Out of everybody's sight: the file itself says why.
        folder = self.venv / 'reference'
        shutil.rmtree(folder, ignore_errors=True)
        options = ['--no-deps', '--target', str(folder), '-c', 'constraints.txt']
        step.run(self._pip('install', *options, '-r', 'requirements/reference.txt'))

    def _install_mmcompose(self) -> None:
        step = Step(5, 'mmcompose itself, editable', self.log)
        step.run(self._pip('install', '--no-build-isolation', '--no-deps', '-e', '.'))


def main() -> int:
    """Set up, one process at a time; return the exit code."""
    # A build that is ended from outside cleans up as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with open(ROOT / '.venv.lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            Setup(ROOT, os.environ)()
        except SetupError as error:
            print(f'mmcompose: {error}', file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print('\nmmcompose: interrupted; the next make starts afresh', file=sys.stderr)
            return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
