"""The shipped label pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from mmcompose.labeling import ByTeacher, LabelContext, LabelPipeline
from tests.labeling.test_every_transform import POOL
from tests.labeling.toys import context, found

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'label_pipelines'


@pytest.mark.parametrize('file', sorted(FOLDER.glob('*.py')), ids=lambda file: file.stem)
def test_a_shipped_pipeline_runs(file: Path) -> None:
    steps = Config.fromfile(file).to_dict()['label_pipeline']
    # What a tool would have written: there is no such file yet, and it is learned here.
    wanted = [step.pop('learned_file', None) for step in steps]
    pipeline = LabelPipeline(steps)
    assert [step.wants_truth for step in pipeline.steps] == [path is not None for path in wanted]
    pipeline.check(context().class_space)

    def pool() -> list[tuple[ByTeacher, LabelContext]]:
        return [(image, context()) for image in POOL]

    pipeline.fit(pool, pool, {'image': found(([10, 10, 60, 60], 1, 0))})
    result = pipeline.apply(POOL[0], context())
    assert result.ignore is not None
    assert len(pipeline.without_bands().steps) == len(pipeline.steps) - 1
