"""Tests of README and docs: their links lead somewhere, their code is code, their names exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mmcompose.registry import (
    DATA_SAMPLERS,
    DATASETS,
    FEATURES,
    HOOKS,
    LABEL_TRANSFORMS,
    RUNNERS,
    TEACHERS,
    TRANSFORMS,
)
from mmcompose.utils import CHECKS
from scripts import command_reference, config_reference

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def _text(page: str) -> str:
    return (ROOT / page).read_text(encoding='utf-8')


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r'^#+ (.*)$', page.read_text(encoding='utf-8'), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', NAMES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r'\]\(([^)\s]+)\)', _text(page)):
        if target.startswith('https://'):
            continue
        path, _, anchor = target.partition('#')
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        assert not anchor or anchor in _anchors(file), target


@pytest.mark.parametrize('page', NAMES)
def test_python_is_python(page: str) -> None:
    for block in re.findall(r'```python\n(.*?)```', _text(page), re.DOTALL):
        # An ellipsis stands for what the reader fills in; a fragment is an argument of a call.
        code = block.replace('…', '')
        try:
            tree = ast.parse(code)
            # What a formatter makes of an argument with a comma after it.
            assigned = [node.value for node in tree.body if isinstance(node, ast.Assign)]
            assert not any(isinstance(each, ast.Tuple) and len(each.elts) == 1 for each in assigned)
        except SyntaxError:
            ast.parse(f'f({code.strip().rstrip(",")})')


@pytest.mark.parametrize('page', NAMES)
def test_names_that_configs_take_exist(page: str) -> None:
    kinds = (DATASETS, DATA_SAMPLERS, HOOKS, RUNNERS, TRANSFORMS)
    registries = (TEACHERS, FEATURES, LABEL_TRANSFORMS, *kinds)
    for registry in registries:
        registry.import_from_location()
    known = {name for registry in registries for name in registry.module_dict}
    named = set(re.findall(r"'mmcompose\.([A-Z]\w+)'", _text(page)))
    # What the page itself adds.
    assert named - set(re.findall(r'^class (\w+)', _text(page), re.MULTILINE)) <= known


def test_every_page_is_listed_on_the_first() -> None:
    listed = re.findall(r'\]\((\w+(?:/\w+)?\.md)\)', _text('docs/index.md'))
    pages = {str(page.relative_to(ROOT / 'docs')) for page in (ROOT / 'docs').rglob('*.md')}
    assert set(listed) == pages - {'index.md'}


def test_every_label_transform_is_listed() -> None:
    LABEL_TRANSFORMS.import_from_location()
    text = _text('docs/configuration.md')
    assert [name for name in LABEL_TRANSFORMS.module_dict if f'`{name}`' not in text] == []


def test_every_check_that_may_be_allowed_is_listed() -> None:
    listed = re.findall(r'^\| `([a-z-]+)` \|', _text('docs/configuration.md'), re.MULTILINE)
    assert [name for name in listed if '-' in name] == list(CHECKS)


def test_the_reference_has_every_class_and_every_key() -> None:
    # Else: python scripts/config_reference.py, which `make docs` runs, too.
    written, made = _text('docs/config_reference.md'), config_reference.page()
    for pattern in (r'^#+ (.*)$', r'^\| (`\w+`) \|'):
        assert re.findall(pattern, written, re.MULTILINE) == re.findall(pattern, made, re.MULTILINE)
    assert '| `iou_thr` |' in made and ':class:' not in made


def test_the_default_label_pipeline_is_shown_as_it_is() -> None:
    shown = re.findall(r'```python\n(.*?)```', _text('docs/label_pipeline.md'), re.DOTALL)[0]
    default = Config.fromstring(_text('configs/_base_/label_pipelines/default.py'), '.py')
    assert Config.fromstring(shown, '.py').label_pipeline == default.label_pipeline


def test_the_commands_are_all_told() -> None:
    # Else: python scripts/command_reference.py, which `make docs` runs, too.
    written, made = _text('docs/commands.md'), command_reference.page()
    for pattern in (r'^## (.*)$', r'(--[a-z-]+)'):
        assert re.findall(pattern, written, re.MULTILINE) == re.findall(pattern, made, re.MULTILINE)
    assert '## train' in made and '--dry-run' in made and 'store gc' in made


def test_the_readme_is_for_somebody_with_a_minute() -> None:
    text = _text('README.md')
    assert len(text.splitlines()) <= 150
    commands = re.findall(r'^(make \w+)', text, re.MULTILINE)
    assert commands[:2] == ['make demo', 'make test']


def test_the_config_of_the_readme_is_one(tmp_path: Path) -> None:
    text = next(
        block for block in re.findall(r'```python\n(.*?)```', _text('README.md'), re.DOTALL)
        if '_base_' in block
    )  # fmt: skip
    folder = ROOT / 'configs'
    path = tmp_path / 'config.py'
    path.write_text(text.replace("'../_base_", f"'{folder}/_base_"))
    config = Config.fromfile(path, import_custom_modules=False)
    assert config.runner_type == 'mmcompose.CompositionRunner'
    assert set(config.composition.teachers) == {'voc', 'coco'}
    assert config.train_dataloader.dataset.pipeline
