"""The shipped label pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from mmcompose.labeling import LabelPipeline
from tests.labeling.test_every_transform import POOL
from tests.labeling.toys import context

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'label_pipelines'


@pytest.mark.parametrize('file', sorted(FOLDER.glob('*.py')), ids=lambda file: file.stem)
def test_a_shipped_pipeline_runs(file: Path) -> None:
    pipeline = LabelPipeline(Config.fromfile(file).label_pipeline)
    pipeline.check(context().class_space)
    pipeline.fit(lambda: [(image, context()) for image in POOL])
    result = pipeline.apply(POOL[0], context())
    assert result.ignore is not None
    assert len(pipeline.without_bands().steps) == len(pipeline.steps) - 1
