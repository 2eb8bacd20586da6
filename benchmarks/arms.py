"""Trainings that are compared with each other, and what each reached on val.json."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

from common import (
    Stages,
    commit,
    config_text,
    console,
    device,
    final_checkpoint,
    read_config,
    tool,
    train,
)
from rich.table import Table
from voc_teachers import CONFIGS, SCORING, VOC, without_places

from mmcompose.labeling import LabelPipeline
from mmcompose.utils import file_fingerprint, fingerprint, write_json


@dataclass(frozen=True)
class Arm:
    """One training, and what it reaches.

    Args:
        name: What it is called.
        config: Name of its config.
        inputs: Files that it learns from.
        options: What ``--cfg-options`` changes.
        begins_with: The arm whose student it begins with.
        scored_by_its_own: Its checkpoint is more than the student that all arms' scoring builds.
    """

    name: str
    config: str
    inputs: Sequence[Path] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    begins_with: Arm | None = None
    scored_by_its_own: bool = False

    def other_seeds(self, seeds: int) -> list[Arm]:
        """Return the arm with seeds from 1 on; 0 is the configs' own."""
        return [
            replace(
                self,
                name=seeded(self.name, seed),
                options={**self.options, 'randomness.seed': seed},
            )
            for seed in range(1, seeds)
        ]


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
            is in it, made by the same, is not trained.
        results: The benchmark's results, whose ``arms`` are taken in the same way: they may be of
            another machine.
        made: What made a file that arms learn from, where the file itself is another with each
            machine: a teacher's recipe, by its checkpoint.
        scoring: The config by which all are scored.
    """

    stages: Stages
    work_dir: Path
    annotations: Path
    configs: str
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: str = 'arms.json'
    results: Path | None = None
    made: Mapping[Path, str] = field(default_factory=dict)
    scoring: str = 'scoring'
    _lock: Any = field(default_factory=Lock)

    def run(self, arm: Arm) -> Path:
        """Train an arm, unless what it reaches is known, and print that.

        Returns:
            Where its checkpoint is; of an arm that was trained on another machine, would be.
        """
        if self.take(arm):
            self.stages.reuse(arm.name, self.found[arm.name]['seconds'])
        else:
            found = {**self._score(arm, self.train(arm)), 'seconds': self.stages.seconds[arm.name]}
            about = {'device': device(), 'commit': commit(), 'made_by': self._made_by(arm)}
            with self._lock:
                self.found[arm.name] = found | about
                kept = {**_arms(self.work_dir / self.kept), **self.found}
                write_json('--work-dir', self.work_dir / self.kept, kept)
        console.print(f'    {arm.name}: mAP {self.found[arm.name]["mAP"]:.3f}', markup=False)
        return self._checkpoint(arm)

    def others(self, planned: Container[str]) -> dict[str, dict[str, Any]]:
        """Return what arms of the results reached that are none of those planned here."""
        return {name: each for name, each in _arms(self.results).items() if name not in planned}

    def take(self, arm: Arm) -> bool:
        """Take what an arm reached in an earlier run, and return whether it did."""
        for path in (self.work_dir / self.kept, self.results):
            found = _arms(path).get(arm.name, {})
            if found.get('made_by') == self._made_by(arm):
                with self._lock:
                    self.found[arm.name] = found
                return True
        return False

    def train(self, arm: Arm) -> Path:
        """Train an arm, if it has not been on this machine, and return its checkpoint."""
        options = dict(arm.options)
        if arm.begins_with:
            # What it reached may be known from another machine; its weights are not.
            options['load_from'] = self.train(arm.begins_with)
        inputs = list(arm.inputs)
        config, folder = self._config(arm), self._folder(arm)
        return train(self.stages, arm.name, config, folder, inputs, options=options)

    def _config(self, arm: Arm) -> str:
        return f'{self.configs}/{arm.config}.py'

    def _folder(self, arm: Arm) -> Path:
        return self.work_dir / arm.name.replace(' ', '_').replace('%', '')

    def _checkpoint(self, arm: Arm) -> Path:
        return final_checkpoint(self._config(arm), self._folder(arm), arm.options)

    def _made_by(self, arm: Arm) -> str:
        """Return the fingerprint of what makes an arm, the same on each machine.

        A config's keys count in no order: what it inherits may move to another file.
        """
        config = read_config(self._config(arm)).to_dict()
        options = (f'{key}={value}' for key, value in arm.options.items())
        pipeline = config.get('composition', {}).get('label_pipeline')
        return fingerprint(
            [
                *map(without_places, [json.dumps(config, sort_keys=True, default=repr), *options]),
                *([LabelPipeline(pipeline).revisions] if pipeline else []),
                *(self.made.get(path) or file_fingerprint(path) for path in arm.inputs),
                *([self._made_by(arm.begins_with)] if arm.begins_with else []),
            ]
        )

    def _score(self, arm: Arm, checkpoint: Path) -> dict[str, float]:
        """Score a checkpoint on val.json, as those of all arms, and read mAP."""
        folder = checkpoint.parent / 'scores'
        predictions = folder / 'predictions.pkl'
        config = f'{self.configs}/{arm.config if arm.scored_by_its_own else self.scoring}.py'
        command = tool('test', config, checkpoint, '--work-dir', folder, '--out', predictions)
        made_by = [config_text(config), file_fingerprint(checkpoint)]
        self.stages.run(f'scoring {arm.name}', command, predictions, made_by)
        logged = max(folder.glob('*/*.json'))
        metrics = json.loads(logged.read_text(encoding='utf-8'))
        return {'mAP': metrics['coco/bbox_mAP'], 'AP50': metrics['coco/bbox_mAP_50']}

    def runs(self, name: str) -> list[float]:
        """Return an arm's mAP with each seed that it was trained with, from 0 on."""
        seeds = (self.found.get(seeded(name, seed)) for seed in itertools.count())
        return [found['mAP'] for found in itertools.takewhile(bool, seeds) if found]

    def mean(self, name: str) -> float:
        """Return an arm's mAP, the mean over its seeds."""
        return statistics.fmean(self.runs(name))


def voc_arms(voc: VOC, stages: Stages, teachers: Sequence[Path], kept: str) -> Arms:
    """Return the arms that learn from VOC's two teachers, none of them trained.

    Args:
        voc: Where things are.
        stages: The benchmark's stages.
        teachers: Both checkpoints.
        kept: The file in the work folder where what arms reached is kept.
    """
    return Arms(
        stages,
        voc.work_dir,
        voc.annotations,
        CONFIGS,
        kept=kept,
        made=dict(zip(teachers, map(voc.recipe, 'ab'), strict=True)),
        scoring=SCORING,
    )


def _arms(path: Path | None) -> dict[str, dict[str, Any]]:
    """Return the arms of a file of arms, or of results; none where there is no file."""
    if path is None or not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    arms: dict[str, dict[str, Any]] = found.get('figures', {}).get('arms', found)
    return arms


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
