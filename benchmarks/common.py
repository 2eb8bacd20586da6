"""What the benchmarks share: stages that are run once, and results that say where they are from.

A benchmark is a list of stages, each a command of its own (training, labelling, evaluation). What
a stage made is reused for as long as all that made it is unchanged, so a benchmark that was
killed goes on where it stopped.
"""

from __future__ import annotations

import heapq
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mmengine.config import Config
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from mmcompose.utils import UserError, fault, file_fingerprint, fingerprint

ROOT = Path(__file__).resolve().parents[1]
LOG_LINES_SHOWN = 15
CPU = 'CPU'

# No highlighting and no wrapping: a log of `make demo` stays readable and greppable.
console = Console(highlight=False, soft_wrap=True)


@dataclass
class Stages:
    """The stages of one benchmark, numbered as they come.

    Args:
        total: How many there are, for ``[3/7]``.
        logs: Folder of a log file for each stage.

    Attributes:
        seconds: What each stage took when it was made, by name, even where it is reused.
        groups: The jobs that ran side by side, each by the names of its stages, and how many at
            a time; a stage that ran alone is a job of its own.
    """

    total: int
    logs: Path
    seconds: dict[str, float] = field(default_factory=dict)
    groups: list[tuple[int, list[list[str]]]] = field(default_factory=list)
    side_by_side: int = 1
    # Each thread runs one job at a time.
    _here: threading.local = field(default_factory=threading.local, init=False)

    @property
    def minutes(self) -> float:
        """What all jobs took, those that ran side by side one in the place of another."""
        return (
            sum(
                makespan([sum(self.seconds[name] for name in job) for job in jobs], width)
                for width, jobs in self.groups
            )
            / 60
        )

    def together(self, *jobs: Callable[[], Path], width: int | None = None) -> list[Path]:
        """Run stages side by side, the cores shared out among them.

        Small models gain little from a second thread; two trainings gain all of a second core.
        Where one fails the others still run.

        Args:
            *jobs: Each runs its stages, one after the other, and returns its result.
            width: How many at a time. Defaults to all.

        Returns:
            The results, in order.

        Raises:
            UserError: If one failed.
        """
        self.side_by_side = width or len(jobs)
        stages: list[list[str]] = [[] for _ in jobs]
        self.groups.append((self.side_by_side, stages))
        pool = ThreadPoolExecutor(self.side_by_side)
        try:
            futures = [pool.submit(self._as_job, *each) for each in zip(stages, jobs, strict=True)]
            wait(futures)
            return [future.result() for future in futures]
        finally:
            # Interrupted: no other is to begin.
            pool.shutdown(cancel_futures=True)
            self.side_by_side = 1

    def _as_job(self, stages: list[str], job: Callable[[], Path]) -> Path:
        self._here.stages = stages
        try:
            return job()
        finally:
            del self._here.stages

    def run(
        self,
        name: str,
        command: Sequence[str | Path],
        done: Path,
        made_by: Any,
        resume: bool = False,
        reuse: bool = True,
    ) -> None:
        """Run a command, unless its result is there and made by the same.

        Args:
            name: What it does, e.g. ``training teacher a``; names its log file too.
            command: The command, run in the repository's root.
            done: The file that it leaves when it has finished.
            made_by: Plain values that, beside the command, decide the result: a config's text,
                fingerprints of the files it reads. See :func:`config_text`.
            resume: The command is a training: after an interruption it is run with ``--resume``.
            reuse: Skip the stage when its result is there.

        Raises:
            UserError: If the command fails or leaves no result, with the end of its log.
        """
        stamp = Stamp(done, fingerprint([[str(part) for part in command], made_by]))
        if reuse and stamp.is_finished:
            self.reuse(name, stamp.seconds)
            return
        label = self._begin(name)
        started = stamp.is_started and resume and has_checkpoint(done.parent)
        if resume and not started:
            # Checkpoints of another config: MMEngine would resume from them, or count on.
            set_aside(done)
        if started:
            # It may have saved its last checkpoint before it ended.
            command = [*command, '--resume']
            label += ' (resumed)'
        else:
            done.unlink(missing_ok=True)
        self._run(label, name, command, stamp, stamp.seconds if started else 0.0)
        self.seconds[name] = stamp.seconds

    def reuse(self, name: str, seconds: float) -> None:
        """Take a stage that was run before, here or on another machine, and what it took."""
        label = self._begin(name)
        self.seconds[name] = seconds
        console.print(f'{label} … reused ({seconds:.0f} s when made)', markup=False)

    def _begin(self, name: str) -> str:
        """Add a stage to the job under way, and return how it is shown."""
        if hasattr(self._here, 'stages'):
            self._here.stages.append(name)
        else:
            self.groups.append((1, [[name]]))
        number = sum(len(job) for _, jobs in self.groups for job in jobs)
        return f'[{number}/{self.total}] {name}'

    def _run(
        self, label: str, name: str, command: Sequence[str | Path], stamp: Stamp, before: float
    ) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f'{file_name(name)}.log'
        stamp.write(before, finished=False)
        begin = time.perf_counter()
        try:
            with open(log, 'w', encoding='utf-8') as file:
                code = _call(label, command, file.fileno(), self.side_by_side)
        finally:
            seconds = before + time.perf_counter() - begin
            stamp.write(seconds, finished=False)
        if code != 0 or not stamp.done.is_file():
            what = f'failed (exit code {code})' if code else f'left no {stamp.done}'
            tail = log.read_text(encoding='utf-8', errors='replace').splitlines()
            console.print(*tail[-LOG_LINES_SHOWN:], sep='\n', markup=False)
            raise UserError(
                fault('', f'{label} {what}; its log is {log}, its last lines are above')
            )
        stamp.write(seconds, finished=True)
        console.print(f'{label} … {seconds:.0f} s', markup=False)


def set_aside(done: Path) -> None:
    """Empty a training's folder; what had finished in it is kept beside it, under another name.

    A training of hours is lost by a moved folder or another Python: its command differs by those.
    """
    folder = done.parent
    before = folder.with_name(f'{folder.name}_before')
    if not done.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        return
    shutil.rmtree(before, ignore_errors=True)
    folder.rename(before)
    console.print(f'    made by another config or command: moved to {before}', markup=False)


def has_checkpoint(folder: Path) -> bool:
    """Return whether a training can be resumed.

    MMEngine removes an old checkpoint before it saves the next: one that was killed between
    names what is no longer there.
    """
    last = folder / 'last_checkpoint'
    return last.is_file() and Path(last.read_text(encoding='utf-8').strip() or '.').is_file()


def makespan(seconds: Sequence[float], width: int) -> float:
    """Return how long jobs take, so many at a time, each begun as soon as there is room."""
    ends = [0.0] * width
    for each in seconds:
        heapq.heapreplace(ends, ends[0] + each)
    return max(ends)


@dataclass
class Stamp:
    """A small file beside a result that says what made it, and whether it is finished.

    Args:
        done: The result.
        made_by: The fingerprint of all that makes it.
    """

    done: Path
    made_by: str

    @property
    def path(self) -> Path:
        """The file: not inside a training's folder only because of a name, but of the result."""
        return self.done.with_name(f'{self.done.name}.stamp.json')

    @property
    def _content(self) -> dict[str, Any]:
        if not self.path.is_file():
            return {}
        try:
            content: dict[str, Any] = json.loads(self.path.read_text(encoding='utf-8'))
        except json.JSONDecodeError:  # killed while it was written: as good as none
            return {}
        return content if content.get('made_by') == self.made_by else {}

    @property
    def is_started(self) -> bool:
        """Whether the same command was started before."""
        return bool(self._content)

    @property
    def is_finished(self) -> bool:
        """Whether the result is there, made by the same command."""
        return self.done.is_file() and self._content.get('finished', False)

    @property
    def seconds(self) -> float:
        """What it took so far."""
        return float(self._content.get('seconds', 0.0))

    def write(self, seconds: float, finished: bool) -> None:
        """Write the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {'made_by': self.made_by, 'seconds': round(seconds, 1), 'finished': finished}
        self.path.write_text(json.dumps(content), encoding='utf-8')


def _call(label: str, command: Sequence[str | Path], output: int, side_by_side: int) -> int:
    """Run a command with a clock beside it, and return its exit code."""
    columns = (SpinnerColumn(), TextColumn('{task.description}', markup=False), TimeElapsedColumn())
    with Progress(
        *columns,
        console=console,
        transient=True,
        # A terminal has room for one clock.
        disable=side_by_side > 1 or not console.is_terminal,
    ) as bar:
        bar.add_task(label, total=None)
        parts = [str(part) for part in command]
        return subprocess.run(
            parts,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(max(1, cores() // side_by_side)),
            cwd=ROOT,
        ).returncode


def file_name(name: str) -> str:
    """Return a stage's name as a file name."""
    return ''.join(c if c.isalnum() else '_' for c in name)


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# glibc's allocator gives each large tensor back to the system and asks for it anew, page by page.
# So it keeps what it has, in large pages; elsewhere this does nothing.
_KEEPS_MEMORY = {
    'MALLOC_ARENA_MAX': '1',
    'MALLOC_MMAP_MAX_': '0',
    'MALLOC_TRIM_THRESHOLD_': str(2**36),
    'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1',
}


def environment(num_threads: int) -> dict[str, str]:
    """Return the environment of a stage: its threads, and this repository's mmcompose."""
    threads = {f'{library}_NUM_THREADS': str(num_threads) for library in ('OMP', 'MKL', 'OPENBLAS')}
    paths = [str(ROOT), os.environ.get('PYTHONPATH', '')]
    return {
        **_KEEPS_MEMORY,
        **os.environ,
        **threads,
        'PYTHONPATH': os.pathsep.join(path for path in paths if path),
        'PYTHONUNBUFFERED': '1',
    }


def tool(name: str, *arguments: str | Path) -> list[str | Path]:
    """Return the command of one of the repository's tools, e.g. ``tool('train', config)``."""
    return [sys.executable, ROOT / 'tools' / f'{name}.py', *arguments]


# MMEngine reloads a module while it reads a config: two threads at once would trip each other.
_READING = threading.Lock()


def read_config(config: str | Path) -> Config:
    """Read a config; stages that run side by side may do so at once."""
    with _READING:
        return Config.fromfile(config)


def config_text(config: str | Path) -> str:
    """Return a config with all that it inherits, as text: what a training depends on."""
    text: str = read_config(config).pretty_text
    return text


def final_checkpoint(
    config: str | Path, work_dir: Path, options: Mapping[str, Any] | None = None
) -> Path:
    """Return where a training leaves its last checkpoint; see :func:`train`."""
    read = read_config(config)
    read.merge_from_dict(dict(options or {}))
    loop = read.train_cfg
    by_epoch = 'max_epochs' in loop
    name = f'epoch_{loop.max_epochs}' if by_epoch else f'iter_{loop.max_iters}'
    return work_dir / f'{name}.pth'


def train(
    stages: Stages,
    name: str,
    config: str | Path,
    work_dir: Path,
    inputs: Sequence[Path] = (),
    options: Mapping[str, Any] | None = None,
) -> Path:
    """Train a config as one stage.

    Args:
        stages: The benchmark's stages.
        name: The stage's name.
        config: Path of its config.
        work_dir: The training's own folder; it is emptied when the config has changed.
        inputs: Files that it learns from: annotations, teachers' checkpoints.
        options: What ``--cfg-options`` changes.

    Returns:
        The path of its last checkpoint.
    """
    done = final_checkpoint(config, work_dir, options)
    command = tool('train', config, '--work-dir', work_dir)
    if options:
        command += ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]
    made_by = [config_text(config), [file_fingerprint(path) for path in inputs]]
    stages.run(name, command, done, made_by, resume=True)
    return done


def composition_table(
    stages: Stages,
    config: str | Path,
    teachers: Sequence[Path],
    student: Path,
    oracle: Path,
    out: Path,
) -> dict[str, Any]:
    """Score a composition as one stage, and print its tables.

    Args:
        stages: The benchmark's stages.
        config: Of the composition.
        teachers: Their checkpoints.
        student: The student's checkpoint.
        oracle: The oracle's.
        out: The JSON file for the tables.

    Returns:
        The tables as plain values.
    """
    name = 'scoring'
    command = tool('evaluate', config, '--student', student, '--oracle', oracle, '--out', out)
    made_by = [config_text(config), *(file_fingerprint(p) for p in (*teachers, student, oracle))]
    stages.run(name, command, out, made_by)
    log = (stages.logs / f'{name}.log').read_text(encoding='utf-8')
    # The tool's own tables end its log; before them stands what others had to say.
    console.print(log[log.rindex('Composition ') :], markup=False)
    table: dict[str, Any] = json.loads(out.read_text(encoding='utf-8'))
    return table


@dataclass(frozen=True)
class Bar:
    """What a figure has to reach.

    Args:
        value: The figure.
        target: What it has to reach.
        at_most: Whether it must not exceed the target, rather than reach it. Defaults to False.
    """

    value: float
    target: float
    at_most: bool = False

    @property
    def ok(self) -> bool:
        """Whether it does; NaN does not."""
        return self.value <= self.target if self.at_most else self.value >= self.target

    @property
    def plain(self) -> dict[str, Any]:
        """The bar as it stands in a results file."""
        sign = '<=' if self.at_most else '>='
        return {'value': self.value, 'target': f'{sign} {self.target:g}', 'ok': self.ok}


def machine() -> dict[str, Any]:
    """Return what the figures were measured on; a GPU where this process used one."""
    torch = sys.modules.get('torch')
    return {
        **({'gpu': device()} if torch and torch.cuda.is_initialized() else {}),
        'cpu': _cpu_model(),
        'cores': cores(),
        'system': f'{platform.system()} {platform.machine()}',
        'python': platform.python_version(),
        **{name: _version(name) for name in ('torch', 'mmcv', 'mmengine', 'mmdet', 'numpy')},
        'allocator': _KEEPS_MEMORY,
    }


def device() -> str:
    """Return what a training runs on: :data:`CPU`, or the name of a GPU."""
    # Not by every benchmark: it takes seconds.
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else CPU


def _cpu_model() -> str:
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text(encoding='utf-8').splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or 'unknown'


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return 'unknown'


def commit() -> str | None:
    """Return the commit that is checked out, with ``-dirty`` where files differ, or None."""
    try:
        found = subprocess.run(
            ['git', 'describe', '--always', '--abbrev=40', '--dirty', '--exclude=*'],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:  # no git: an unpacked archive
        return None
    return found.stdout.strip() if found.returncode == 0 else None


def write_results(
    out: str | Path,
    figures: Mapping[str, Any],
    bars: Mapping[str, Bar],
    seconds: Mapping[str, float] | None = None,
) -> int:
    """Write a benchmark's results and print its bars.

    Args:
        out: The JSON file.
        figures: Every figure, by name.
        bars: What they have to reach.
        seconds: What each stage took.

    Returns:
        The exit code: 0 if every bar is reached, else 1.
    """
    results = {
        'figures': dict(figures),
        'bars': {name: bar.plain for name, bar in bars.items()},
        'seconds': dict(seconds or {}),
        'commit': commit(),
        'date': datetime.now(UTC).isoformat(timespec='seconds'),
        'machine': machine(),
    }
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')
    if bars:
        console.print(_bar_table(bars))
    console.print(f'results: {out}', markup=False)
    return 0 if all(bar.ok for bar in bars.values()) else 1


def _bar_table(bars: Mapping[str, Bar]) -> Table:
    table = Table('bar', 'value', 'target', '')
    for name, bar in bars.items():
        verdict = '[green]ok' if bar.ok else '[red]MISSED'
        table.add_row(name, f'{bar.value:.3f}', bar.plain['target'], verdict)
    return table


def exit_on_mistake(main: Callable[[], int]) -> int:
    """Run a benchmark's main function; a user's mistake is told in one line, exit code 2."""
    try:
        return main()
    except UserError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f'error: {error}', markup=False)
        return 2
