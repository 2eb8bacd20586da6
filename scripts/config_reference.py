"""Write docs/config_reference.md: every class that a config names, key by key, from docstrings.

python scripts/config_reference.py
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmcompose.class_space import ClassSpace
from mmcompose.composition import Composition
from mmcompose.datasets.relabeled import RelabeledDataset
from mmcompose.registry import (
    CALIBRATIONS,
    DATA_SAMPLERS,
    DATASETS,
    FEATURES,
    HOOKS,
    LABEL_TRANSFORMS,
    TEACHERS,
    THRESHOLDS,
    TRANSFORMS,
)
from mmcompose.teachers.decoders import DECODERS
from mmcompose.teachers.preprocess import Preprocess

OUT = Path(__file__).resolve().parents[1] / 'docs' / 'config_reference.md'
HEAD = """# Every key

Made of the docstrings by `python scripts/config_reference.py`. What is used most is in
[Configuration](configuration.md). A `type` is written with `mmcompose.` before it. A key without a
default must be set.
"""
PLAIN = {
    'composition': Composition,
    'composition.class_space': ClassSpace,
    'preprocess': Preprocess,
}
DECODE = """## `decode`

Of `ONNXTeacher` and `HTTPTeacher`: the name of a decoder, the dotted path of a function of yours,
or a dict of such a `type` and its arguments, e.g. `dict(type='yolox', score_thr=0.1)`. A function
takes the outputs by name, `(width, height)` of the model's input, and the number of classes; it
returns the `Detections` of each picture, in pixels of the input.

| decoder | of |
|---|---|
"""
REGISTRIES = {
    'Teachers': (TEACHERS, 'composition.teachers'),
    'Label transforms': (LABEL_TRANSFORMS, 'composition.label_pipeline'),
    'Methods of ScoreCalibration': (CALIBRATIONS, 'method'),
    'Methods of AdaptiveScoreFilter and AdaptiveScoreBands': (THRESHOLDS, 'method'),
    'Picture features': (FEATURES, 'features'),
    'Datasets': (DATASETS, 'dataset'),
    'Samplers': (DATA_SAMPLERS, 'sampler'),
    'Transforms of a training pipeline': (TRANSFORMS, 'pipeline'),
    'Hooks': (HOOKS, 'custom_hooks'),
}
# What others of the same kind refer to.
BASES = {'Datasets': [RelabeledDataset]}
# What follows from the rest, and no config sets.
_WRITTEN = {'teacher_records', 'teacher_classes'}


def main() -> None:
    """Write the page."""
    OUT.write_text(page(), encoding='utf-8')


def page() -> str:
    """Return the page's text."""
    parts = [HEAD]
    parts += [f'## `{key}`\n\n{_entry(cls)}' for key, cls in PLAIN.items()]
    rows = [f'| `{name}` | {_first_line(function)} |' for name, function in DECODERS.items()]
    parts.append(DECODE + '\n'.join([*rows, '']))
    for title, (registry, key) in REGISTRIES.items():
        registry.import_from_location()
        parts.append(f'## {title}\n\nIn `{key}`.\n')
        for name in sorted(registry.module_dict):
            cls = registry.module_dict[name]
            # A registry's children hold classes of others, too.
            if cls.__module__.startswith('mmcompose.'):
                parts.append(f'### {name}\n\n{_entry(cls)}')
        parts += [f'### {cls.__name__}\n\n{_entry(cls)}' for cls in BASES.get(title, ())]
    return '\n'.join(parts)


def _entry(cls: type) -> str:
    """Return a class's first line and a table of its arguments."""
    doc = inspect.getdoc(cls) or ''
    told = dict(arguments(doc))
    taken = inspect.signature(cls).parameters
    rows, further = [], []
    for name, text in told.items():
        if name.startswith('*'):
            further += ['', f'Further keys: {_plain(text[0].lower() + text[1:])}']
        if name in _WRITTEN or name not in taken:
            continue
        default = taken[name].default
        shown = '' if default is inspect.Parameter.empty else f'`{_cell(repr(default))}`'
        rows.append(f'| `{name}` | {shown} | {_cell(text)} |')
    table = ['', '| key | default | |', '|---|---|---|', *rows] if rows else []
    return '\n'.join([_plain(doc.partition('\n')[0]), *table, *further, ''])


def arguments(doc: str) -> Iterator[tuple[str, str]]:
    """Yield each argument of a Google docstring with its description, in one line."""
    _, found, section = doc.partition('\nArgs:\n')
    if not found:
        return
    name, lines = '', []
    for line in section.splitlines():
        if line and not line.startswith(' '):
            break
        starts = re.match(r' {4}(\*{0,2}\w+): (.*)', line)
        if starts is not None:
            if name:
                yield name, ' '.join(lines)
            name, lines = starts[1], [starts[2]]
        elif line.strip() and name:
            lines.append(line.strip())
    if name:
        yield name, ' '.join(lines)


def _first_line(of: Any) -> str:
    return _cell((inspect.getdoc(of) or '').partition('\n')[0])


def _plain(text: str) -> str:
    """Return a docstring's text as markdown."""
    text = re.sub(r':\w+:`~?([^`]+)`', lambda match: f'`{match[1].rpartition(".")[2]}`', text)
    return text.replace('``', '`')


def _cell(text: Any) -> str:
    return _plain(str(text)).replace('|', '\\|')


if __name__ == '__main__':
    main()
