"""Trainings that are compared with each other, and what each reached on val.json."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from common import Stages, config_text, console, device, read_config, tool, train
from rich.table import Table

from mmcompose.utils import file_fingerprint, fingerprint, write_json


@dataclass
class Arms:
    """The arms of one run, and what they reached.

    Args:
        stages: The benchmark's stages.
        work_dir: Folder of everything that is made.
        annotations: The data's annotation files.
        configs: Folder of the arms' configs.
        found: What each arm reached on val.json, by name; kept as each arm ends.
        kept: The file in ``work_dir`` where that is; benchmarks may share the folder. An arm that
            is in it, made by the same, is not trained: not even on another machine, where the
            file was copied to.
        scoring: The config by which all are scored.
    """

    stages: Stages
    work_dir: Path
    annotations: Path
    configs: str
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: str = 'arms.json'
    scoring: str = 'scoring'
    _lock: Any = field(default_factory=Lock)

    def arm(
        self,
        name: str,
        config: str,
        inputs: list[Path],
        options: Mapping[str, Any] | None = None,
        begins_with: str | None = None,
    ) -> Path:
        """Train one arm, if it has not been, tell what it reached, and return its checkpoint.

        Args:
            name: Of the arm.
            config: Name of its config.
            inputs: Files that it learns from.
            options: What ``--cfg-options`` changes.
            begins_with: The arm whose student it begins with; it has been trained.
        """
        path = f'{self.configs}/{config}.py'
        values = repr(read_config(path).to_dict())
        made_by = [values, *(f'{key}={value}' for key, value in (options or {}).items())]
        made_by += [file_fingerprint(each) for each in inputs]
        if begins_with:
            made_by.append(self.found[begins_with]['made_by'])
            options = {**(options or {}), 'load_from': self._checkpoint(begins_with)}
        found = self._kept().get(name, {})
        if found.get('made_by') == fingerprint(made_by):
            self.stages.reuse(name, found['seconds'])
        else:
            found = self._train(name, path, inputs, options)
            found |= {'device': device(), 'made_by': fingerprint(made_by)}
        with self._lock:
            self.found[name] = found
            write_json('--work-dir', self.work_dir / self.kept, {**self._kept(), **self.found})
        console.print(f'    {name}: mAP {found["mAP"]:.3f}', markup=False)
        return self._checkpoint(name)

    def _checkpoint(self, name: str) -> Path:
        return self.work_dir / str(self.found[name]['checkpoint'])

    def _kept(self) -> dict[str, dict[str, Any]]:
        path = self.work_dir / self.kept
        found: dict[str, dict[str, Any]] = {}
        if path.is_file():
            found = json.loads(path.read_text(encoding='utf-8'))
        return found

    def _train(
        self, name: str, config: str, inputs: list[Path], options: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        work_dir = self.work_dir / name.replace(' ', '_').replace('%', '')
        checkpoint = train(self.stages, name, config, work_dir, inputs, options=options)
        return {
            **self._score(name, checkpoint),
            'seconds': self.stages.seconds[name],
            'checkpoint': str(checkpoint.relative_to(self.work_dir)),
        }

    def other_seeds(
        self,
        name: str,
        config: str,
        inputs: list[Path],
        seeds: int,
        options: Mapping[str, Any] | None = None,
    ) -> Iterator[Callable[[], Path]]:
        """Yield the trainings of an arm with seeds from 1 on; 0 is the configs' own."""
        for seed in range(1, seeds):
            changed = {**(options or {}), 'randomness.seed': seed}
            yield partial(self.arm, seeded(name, seed), config, inputs, changed)

    def _score(self, name: str, checkpoint: Path) -> dict[str, float]:
        """Score a checkpoint on val.json, as those of all arms, and read mAP."""
        folder = checkpoint.parent / 'scores'
        predictions = folder / 'predictions.pkl'
        config = f'{self.configs}/{self.scoring}.py'
        command = tool('test', config, checkpoint, '--work-dir', folder, '--out', predictions)
        made_by = [config_text(config), file_fingerprint(checkpoint)]
        self.stages.run(f'scoring {name}', command, predictions, made_by)
        logged = max(folder.glob('*/*.json'))
        metrics = json.loads(logged.read_text(encoding='utf-8'))
        return {'mAP': metrics['coco/bbox_mAP'], 'AP50': metrics['coco/bbox_mAP_50']}

    def runs(self, name: str) -> list[float]:
        """Return an arm's mAP with each seed that it was trained with."""
        seeds = (self.found.get(seeded(name, seed)) for seed in itertools.count())
        return [found['mAP'] for found in itertools.takewhile(bool, seeds) if found]

    def mean(self, name: str) -> float:
        """Return an arm's mAP, the mean over its seeds."""
        return statistics.fmean(self.runs(name))


def seeded(name: str, seed: int) -> str:
    """Return the name of an arm that is trained with a seed; 0 is the configs' own."""
    return f'{name}, seed {seed}' if seed else name


def spread(runs: Sequence[float]) -> dict[str, float]:
    """Return the mean of runs that differ in their seed, how far they differ, and their number."""
    deviation = statistics.stdev(runs) if len(runs) > 1 else 0.0
    return {'mean': statistics.fmean(runs), 'deviation': deviation, 'runs': len(runs)}


def arm_table(arms: Arms) -> Table:
    """Return the table of all arms."""
    table = Table('arm', 'mAP', 'AP50')
    for name, found in arms.found.items():
        table.add_row(name, f'{found["mAP"]:.3f}', f'{found["AP50"]:.3f}')
    return table


def seed_table(arms: Arms, names: Iterable[str]) -> Table:
    """Return the table of the arms that are trained with several seeds."""
    table = Table('arm', 'mAP, mean', 'standard deviation', 'runs')
    for name in names:
        found = spread(arms.runs(name))
        figures = (f'{found[key]:.3f}' for key in ('mean', 'deviation'))
        table.add_row(name, *figures, str(found['runs']))
    return table
