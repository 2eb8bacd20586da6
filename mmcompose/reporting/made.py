"""How a composition was made, as its card has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mmengine.config import Config

from mmcompose.composition import Composition
from mmcompose.labeling import LabelPipeline
from mmcompose.registry import type_name
from mmcompose.version import __version__

_PACKAGES = ('torch', 'mmcv', 'mmengine', 'mmdet', 'numpy')


@dataclass
class Made:
    """How a composition was made.

    Args:
        title: Of the card.
        config: The config's text.
        learned: What the label pipeline learned, in lines.
        teachers: By name the type, and a fingerprint of all that decides what it predicts.
        versions: Of packages, by name.
        commands: What made it, in order.
    """

    title: str
    config: str
    learned: Sequence[str] = ()
    teachers: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        config: Config,
        composition: Composition,
        pipeline: LabelPipeline,
        commands: Sequence[str] = (),
    ) -> Made:
        """Collect what is known of a composition.

        Args:
            config: As the card shows it.
            composition: Of which the labels are.
            pipeline: The composition's, with what it learned.
            commands: What made it, in order. Defaults to none.
        """
        kinds = composition.resolved['teachers']
        teachers = {
            name: f'{type_name(kinds[name])} {record["identity"]}'
            for name, record in composition.teacher_records.items()
        }
        versions = {'mmcompose': __version__}
        for name in _PACKAGES:
            try:
                versions[name] = version(name)
            except PackageNotFoundError:
                # A fork has the import name of another distribution.
                continue
        title = Path(config.filename).stem if config.filename else 'composition'
        learned = pipeline.describe_learned()
        return cls(title, config.pretty_text, learned, teachers, versions, commands)
