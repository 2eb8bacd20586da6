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

from common import Stages, config_text, console, tool, train
from rich.table import Table

from mmcompose.utils import file_fingerprint, write_json


@dataclass
class Arms:
    """The arms of one run, and what they reached.

    Args:
        stages: The benchmark's stages.
        work_dir: Folder of everything that is made.
        annotations: The data's annotation files.
        configs: Folder of the arms' configs.
        found: mAP of each arm on val.json, by name; kept as each arm ends.
        kept: The file in ``work_dir`` where that is; benchmarks may share the folder.
        scoring: The config by which all are scored.
    """

    stages: Stages
    work_dir: Path
    annotations: Path
    configs: str
    found: dict[str, dict[str, float]] = field(default_factory=dict)
    kept: str = 'arms.json'
    scoring: str = 'scoring'
    _lock: Any = field(default_factory=Lock)

    def arm(
        self, name: str, config: str, inputs: list[Path], options: Mapping[str, Any] | None = None
    ) -> Path:
        """Train one arm, if it has not been, tell what it reached, and return its checkpoint."""
        work_dir = self.work_dir / name.replace(' ', '_').replace('%', '')
        config = f'{self.configs}/{config}.py'
        checkpoint = train(self.stages, name, config, work_dir, inputs, options=options)
        found = self._score(name, checkpoint)
        with self._lock:
            self.found[name] = found
            write_json('--work-dir', self.work_dir / self.kept, self.found)
        console.print(f'    {name}: mAP {found["mAP"]:.3f}', markup=False)
        return checkpoint

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
