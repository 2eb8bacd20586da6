"""A plan as text."""

from __future__ import annotations

from rich.table import Table

from mmcompose.commands.console import console
from mmcompose.commands.plan import Plan
from mmcompose.composition.features import FEATURES
from mmcompose.evaluation import class_space_table


def print_plan(plan: Plan) -> None:
    """Print what a config would do."""
    out = console()
    if plan.teachers:
        out.print(_teachers(plan))
    if plan.class_space is not None:
        out.print(class_space_table(plan.class_space))
        for first, second, table in plan.class_space.tied:
            line = f'one class by the alias table {table!r}, two here: {first!r}, {second!r}'
            out.print(line)
        for first, second in plan.class_space.alike:
            out.print(f'look alike, and are two classes: {first!r} and {second!r}')
    out.print('Label pipeline')
    for number, line in enumerate(plan.pipeline, start=1):
        out.print(f'  {number}. {line}')
    out.print('Pool')
    none = 'cannot be listed' if plan.has_pool else 'no pseudo-labeled dataset'
    lines = [none] if plan.pool is None else plan.pool.describe()
    for line in (*lines, *_stored(plan), *plan.owners_by_name):
        out.print(f'  {line}')
    if plan.total_seconds is not None and plan.total_bytes is not None:
        minutes, megabytes = plan.total_seconds / 60, plan.total_bytes / 1e6
        out.print(f'  predicting takes about {minutes:.1f} minutes of one process, ', end='')
        out.print(f'and {megabytes:.1f} MB of the store')
        peaks = ', '.join(f'{peak / 1e9:.1f} GB of {of}' for of, peak in plan.peak_memory.items())
        out.print(f'  a process with all teachers took {peaks or "memory unknown"}')
    elif plan.teachers and plan.pool is not None and plan.missing:
        out.print('  parameters, time, disk and memory: mmcompose plan CONFIG --time 8')
    if not plan.mistakes:
        out.print('No mistakes found')


def _teachers(plan: Plan) -> Table:
    table = Table(title='Teachers', title_justify='left')
    for column in ('', 'type', 'architecture', 'classes', 'parameters', 'ms/image', 'boxes/image'):
        table.add_column(
            column, justify='left' if column in ('', 'type', 'architecture') else 'right'
        )
    for name, (kind, classes) in plan.teachers.items():
        size = plan.parameters.get(name)
        millions = '-' if size is None else f'{size / 1e6:.2f} M'
        timed = _milliseconds(plan, name)
        boxes = f'{plan.boxes[name]:.1f}' if name in plan.boxes else '-'
        table.add_row(
            name, kind, plan.architectures.get(name) or '-', str(classes), millions, timed, boxes
        )
    if FEATURES in plan.makers:
        table.add_row(FEATURES, '-', '-', '-', '-', _milliseconds(plan, FEATURES), '-')
    return table


def _milliseconds(plan: Plan, name: str) -> str:
    return f'{plan.seconds[name] * 1000:.0f}' if name in plan.seconds else '-'


def _stored(plan: Plan) -> list[str]:
    if plan.pool is None or plan.stored is None:
        return ['what is stored was not looked up']
    count = plan.pool.num_images
    missing = [
        n if left == count else f'{n} ({left} of {count})' for n, left in plan.missing.items()
    ]
    stored = f'; stored: {", ".join(plan.stored)}' if plan.stored else ''
    line = f'to predict: {", ".join(missing)}{stored}' if missing else 'all predictions are stored'
    unknown = 'contents were not compared: pictures that were changed in place are predicted on'
    return [line, unknown] if plan.is_content_unknown and plan.stored else [line]
