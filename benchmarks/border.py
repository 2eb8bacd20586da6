"""What happens to data that is not as it seems, and to its healthy twin.

    python benchmarks/border.py --cases DIR --out benchmarks/results/border.json

Each folder of DIR holds a situation from a public bug report and a ``case.py`` that prints what
mmcompose makes of it. It may come out right, be refused in one line, be silently wrong, or end in a
traceback. Its twin, the same data as it should be (benchmarks/border_twins.py), must pass without a
warning.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.table import Table

from benchmarks.border_run import run_case
from benchmarks.border_twins import TWINS, warnings_of
from benchmarks.common import ROOT, Bar, console, exit_on_mistake, write_results
from mmcompose.utils import UserError, problem

RIGHT, ONE_LINE, WRONG, TRACEBACK = 'right', 'one line', 'silently wrong', 'traceback'

# What a case has to print, by its number: all of it.
EXPECTED: dict[str, tuple[str, ...]] = {
    '02': (r"error: .*none is named 'val/1\.jpg'",),
    '04': (r'error: .*48x32, but the picture is 96x64',),
    '06': (r'error: .*labels/1\.txt.* in line 1 that are not relative',),
    '07': (r'error: .*none of 2 text files',),
    '08': (r"WARNING - 'Person' and 'person' are two classes",),
    '09': tuple(rf'{name} 96 64 \[\(' for name in (r'2\.png', r'3\.jfif', r'4\.gif', r'5\.jpe')),
    '10': (r'1\.png 96 64 \[\(',),
    '11': (r'1\.png 20000 9500 \[\(',),
    '12': (r'1\.tif 64 96 \[\(', r'1\.jpg 96 64 \[\('),
    '14': (
        r'--- evaluate\nexit code 0',
        r'--- calibrate\nexit code 0',
        r'"curves"|"right"|learned',
    ),
    '15': (r'--- evaluate\nexit code 2', r'error: .*no class of the student'),
    '16': (r"UserError: .*classes: 'tree' is given as class number 0",),
    '17': (r'UserError: decode: .*no whole number',),
    '18': (r"\[\('spot', \[10\.0, 10\.0, 50\.0, 50\.0\]", r'UserError: .*the model takes uint8'),
    '19': (r'(?s)UserError: boxes.*UserError: boxes.*UserError: boxes',),
    '21': (r"classes \('N/A', 'person', 'N/A', 'car'\)",),
    '22': (r"UserError: .*'0001\.jpg', but image id 1 is '0002\.jpg'",),
    '23': (r'(?s)UserError: .*track ids.*UserError: .*track ids',),
    '24': (r'(?s)UserError: .*images\[0\] and images\[1\].*UserError: .*categories\[0\]',),
    '25': (r'1\.png 96 64 \[\(', r'error: .*has no file_name in images\[0\]'),
    '26': (r'UserError: .*names 3 classes',),
    '27': (r"(?s)classes \('cat', 'dog', 'tree'\).*classes \('cat', 'dog', 'tree'\)",),
    '28': (
        r"\[\('b', \[10\.0, 10\.0, 50\.0, 50\.0\], 0\.[69]\)\]|UserError: decode: .*sixth column",
        r'UserError: decode: .*takes dets',
        r"\('bicycle', \[10\.0, 10\.0, 50\.0, 50\.0\], 0\.9\)",
        r'UserError: labels: 1\.9',
    ),
    '29': (r"'fish', \[60\.0, 10\.0, 30\.0, 20\.0\], 0\.55\)",),
}
_MISTAKE = re.compile(r'^(error|\s+UserError): ', re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What became of a case and its twin.

    Args:
        case: The folder's name.
        verdict: One of the four above.
        twin: 'right', or what it was refused or warned with.
        output: What the case printed.
    """

    case: str
    verdict: str
    twin: str
    output: str


def verdict_of(case: str, output: str) -> str:
    """Return what became of a case by what it printed."""
    if 'Traceback (most recent call last)' in output or re.search(r'^\s+TRACEBACK', output, re.M):
        return TRACEBACK
    mistaken = _MISTAKE.search(output) is not None
    expected = EXPECTED.get(case.partition('_')[0])
    if expected is not None and not all(re.search(each, output) for each in expected):
        return WRONG
    if expected is None and not mistaken:
        # Nobody said what is right.
        return WRONG
    return ONE_LINE if mistaken else RIGHT


def run_twin(case: str, folder: Path) -> str:
    """Run the healthy twin of a case; return 'right', or what is amiss."""
    twin = TWINS.get(case.partition('_')[0])
    if twin is None:
        return 'none'
    try:
        told = warnings_of(lambda: twin(folder))
    except (UserError, AssertionError) as error:
        return f'refused: {error}'
    return f'warned: {told[0]}' if told else RIGHT


def main() -> int:
    """Run every case and its twin, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--cases', required=True, help='folder of case folders')
    parser.add_argument('--only', nargs='*', default=[], help='numbers of cases')
    parser.add_argument('--twins-only', action='store_true', help='leave out the cases')
    parser.add_argument('--show', action='store_true', help='print what each case prints')
    parser.add_argument('--out', help='file for the results')
    args = parser.parse_args()
    if not Path(args.cases).is_dir():
        raise UserError(problem('--cases', args.cases, 'is no folder'))
    cases = Path(args.cases).absolute()
    # Cases look for the project where they are started.
    os.chdir(ROOT)
    outcomes = []
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(shutil.copytree(cases, Path(temporary) / 'cases'))
        folders = sorted(each.parent for each in copy.glob('*/case.py'))
        for folder in folders:
            number = folder.name.partition('_')[0]
            if args.only and number not in args.only:
                continue
            output = '' if args.twins_only else run_case(folder)
            verdict = RIGHT if args.twins_only else verdict_of(folder.name, output)
            twins = Path(temporary) / 'twins' / folder.name
            twins.mkdir(parents=True)
            outcomes.append(Outcome(folder.name, verdict, run_twin(folder.name, twins), output))
            console.print(f'{folder.name}: {verdict}; twin: {outcomes[-1].twin}', markup=False)
            if args.show:
                console.print(output, markup=False)
    return report(outcomes, args.out)


def report(outcomes: list[Outcome], out: str | None) -> int:
    """Print the table, write it with its bars, and return the exit code."""
    table = Table(title='The border', title_justify='left')
    for column in ('case', 'verdict', 'twin'):
        table.add_column(column)
    for each in outcomes:
        table.add_row(each.case, each.verdict, each.twin)
    console.print(table)
    sound = sum(each.verdict in (RIGHT, ONE_LINE) for each in outcomes)
    twins = sum(each.twin == RIGHT for each in outcomes)
    console.print(f'{sound} of {len(outcomes)} cases right or told, {twins} twins right')
    if out is None:
        return 0 if sound == twins == len(outcomes) else 1
    bars = {
        'cases right or told': Bar(sound, len(outcomes)),
        'healthy twins right': Bar(twins, len(outcomes)),
    }
    figures = {each.case: {'verdict': each.verdict, 'twin': each.twin} for each in outcomes}
    return write_results(out, figures, bars)


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
