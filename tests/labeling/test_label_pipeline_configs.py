"""The shipped label pipelines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmcompose.labeling import LabelPipeline
from mmcompose.registry import LABEL_TRANSFORMS, build
from mmcompose.utils import UserError
from tests.labeling.test_every_transform import POOL
from tests.labeling.toys import apply, bind, built, fit, found, scene

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / 'configs' / '_base_' / 'label_pipelines'


@pytest.mark.parametrize('file', sorted(FOLDER.glob('*.py')), ids=lambda file: file.stem)
def test_a_shipped_pipeline_runs(file: Path) -> None:
    steps = Config.fromfile(file).to_dict()['label_pipeline']
    # What a tool would have written: there is no such file yet, and it is learned here.
    wanted = [step.pop('learned_file', None) for step in steps]
    pipeline = LabelPipeline(steps)
    by_truth = [step.right_iou_thr is not None for step in pipeline.steps]
    assert by_truth == [path is not None for path in wanted]
    truth = {'image': found(([10, 10, 60, 60], 1, 0))}
    pipeline = fit(pipeline, [(image, scene()) for image in POOL], truth)
    result = apply(pipeline, POOL[0], scene())
    assert result.ignore is not None
    scored = pipeline.without_bands()
    # Whatever chooses what is learned from stands at the end.
    assert 0 < len(scored.steps) < len(pipeline.steps)
    assert scored.steps == pipeline.steps[: len(scored.steps)]


def test_the_guide_tells_of_every_step_and_its_examples_run() -> None:
    guide = (ROOT / 'docs' / 'label_pipeline.md').read_text(encoding='utf-8')
    LABEL_TRANSFORMS.import_from_location()
    assert [name for name in LABEL_TRANSFORMS.module_dict if f'`{name}' not in guide] == []
    example, own_step = re.findall('```python\n(.+?)```', guide, re.DOTALL)
    bind(LabelPipeline(Config.fromstring(example, '.py').label_pipeline), scene())
    inline = re.findall(r'`(\w+)(\([^`]+\))', guide)
    calls = [(name, call) for name, call in inline if name in LABEL_TRANSFORMS.module_dict]
    assert len(calls) > 5
    for name, call in calls:
        arguments = Config.fromstring(f'step = dict{call}', '.py').step
        build(LABEL_TRANSFORMS, {'type': name, **arguments}, name)
    names: dict[str, Any] = {'__name__': 'own_step'}
    try:
        exec(own_step, names)
        boxes = {'a': found(([0, 0, 9, 9], 0.4, 0), ([5, 0, 9, 9], 0.4, 0))}
        step = built(names['BorderFilter'], min_score=0.5)
        assert len(apply(step, boxes, scene())['a']) == 1
        with pytest.raises(UserError, match='min_score: 2 is not in'):
            built(names['BorderFilter'], min_score=2)
    finally:
        LABEL_TRANSFORMS.module_dict.pop('BorderFilter', None)


def _pipelines() -> list[Path]:
    folders = ROOT / 'configs' / 'compose', ROOT / 'configs' / '_base_' / 'label_pipelines'
    files = [path for folder in folders for path in sorted(folder.rglob('*.py'))]
    return [path for path in files if 'label_pipeline' in path.read_text(encoding='utf-8')]


@pytest.mark.parametrize('path', _pipelines(), ids=lambda path: path.stem)
def test_what_is_learned_from_is_chosen_last(path: Path) -> None:
    read = Config.fromfile(path)
    steps = read.get('label_pipeline') or read.composition.label_pipeline
    for step in steps:
        # Of labelled images, which are not here.
        step.pop('learned_file', None)
    chooses = [bool(step.selects) for step in LabelPipeline(steps).steps]
    assert chooses == sorted(chooses)
