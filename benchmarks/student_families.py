"""Which of MMDetection's families can learn from uncertain labels: each does so for a moment.

    python benchmarks/student_families.py --out benchmarks/results/student_families.json \
        --page docs/student_families.md

Takes the smallest variant of each folder of the installed mmdet's configs, of those that learn from
what labels tell, as the student of a composition of seven classes. It begins as a random detector
of COCO's 80, takes three iterations on pseudo-labels with weights and ignore bands and on a truth
that covers three classes, is saved, and tools/test.py runs on it. Whether a kind of uncertainty
reaches the loss is measured: the gradient of one batch is another with it. One process a family,
with a limit on its memory and time; a sweep that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

# Else a look for a GPU would keep forked processes from using it.
os.environ.setdefault('PYTORCH_NVML_BASED_CUDA_CHECK', '1')

import torch
from common import Bar, console, exit_on_mistake, write_results
from family_trials import tried
from mmdet.utils import register_all_modules
from random_students import KINDS, learn
from rich.table import Table
from teacher_families import variants_by_size

from mmcompose.prerequisites import package_folder
from mmcompose.utils import UserError, check_writable, fault, write_json

STEPS = ('builds', 'learns', 'keeps rows', 'saves')
# A variant that begins so wants more than labels tell; another of its family may not.
LEARNS_FROM = 'it learns from'
# Reasons that larger pictures would not change; MMDetection 3.3's own tests of SSD fail.
FOR_GOOD = (LEARNS_FROM, 'needs ', 'mmpretrain', 'Detectron2', "'SSDHead' object has no")
PAGE = """# Which families of MMDetection can learn

Each folder of MMDetection's configs, by its smallest variant, as the student of seven classes:
{learned} of {total} families build, keep the rows of a random detector of COCO's 80 classes, take
three iterations with uncertain labels and are saved; tools/test.py runs on {tested} of them.
All four kinds of uncertainty ([uncertain_labels.md](uncertain_labels.md)) reach the loss of
{reached}: a kind does where the gradient of a batch is another with it, and no head is left out.
Each is trained with a plain pipeline, not its own:
[uncertain labels](uncertain_labels.md#from-the-label-to-the-loss) tells which transforms do not
fit. Written by

```shell
python benchmarks/student_families.py --out benchmarks/results/student_families.json \\
    --page docs/student_families.md
```

with mmpretrain 1.2, timm, torchvision and scikit-image beside mmdet, which some families need, and
without detectron2; {on_gpu} of these families with `--device cuda`.{untried}

| family | config | learns | weights | bands | coverage | soft targets | tested |
|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Trial:
    """How a family's variant is tried.

    Args:
        gigabytes: Of memory that it may use.
        seconds: Of computing that it may take.
        side: Of its pictures, in pixels.
        device: ``'cpu'`` or ``'cuda'``.
    """

    gigabytes: float
    seconds: int
    side: int
    device: str

    def run(self, path: Path) -> dict[str, Any]:
        """Learn in a process of its own, within the limits."""
        gigabytes = self.gigabytes if self.device == 'cpu' else None
        found = {'device': self.device, 'side': self.side}
        found |= tried(partial(self._learn, path), self.seconds, gigabytes)
        found['ok'] = all(found.get(step) for step in STEPS)
        if not found['ok'] and 'why' not in found:
            failed = next(step for step in STEPS if not found.get(step))
            found['why'] = f'{failed}: not'
        return found

    def _learn(self, path: Path, folder: Path) -> Iterator[tuple[str, Any]]:
        if self.device == 'cpu':
            os.environ['CUDA_VISIBLE_DEVICES'] = ''
        torch.set_num_threads(1)
        sys.stdout = open(os.devnull, 'w')
        # Some configs name others, as in a checkout of MMDetection.
        os.chdir(package_folder('mmdet') / '.mim')
        return learn(path, self.side, folder)


def trials(path: Path, first: Trial) -> dict[str, Any]:
    """Try a variant, and once more with larger pictures where that may help."""
    result = first.run(path)
    if result.get('tests') or any(each in result.get('why', '') for each in FOR_GOOD):
        return result
    again = replace(first, side=2 * first.side).run(path)
    return again if len(again) > len(result) else result


def first_that_can(paths: Sequence[Path], first: Trial) -> dict[str, Any]:
    """Try a family's variants until one learns from what labels tell; else, return the first's."""
    results = []
    for path in paths:
        results.append({'config': path.stem, **trials(path, first)})
        if not results[-1].get('why', '').startswith(LEARNS_FROM):
            return results[-1]
    return results[0]


def sweep(results: dict[str, Any], args: argparse.Namespace, kept: Path) -> None:
    """Let each family learn that has no result yet, and keep each result at once."""
    folder = package_folder('mmdet')
    assert folder is not None
    first = Trial(args.memory, args.timeout, args.side, args.device)
    wanted = {
        family: paths
        for family, paths in variants_by_size(folder / '.mim' / 'configs')
        if (not args.families or family in args.families)
        and results.get(family, {}).get('config') not in [path.stem for path in paths]
    }
    for family, paths in wanted.items():
        results[family] = first_that_can(paths, first)
        console.print(f'{family:28} {_verdict(results[family])}', markup=False)
        write_json('work_dirs', kept, results)


def _num_families() -> int:
    folder = package_folder('mmdet')
    assert folder is not None
    return len(list(variants_by_size(folder / '.mim' / 'configs')))


def _verdict(result: Mapping[str, Any]) -> str:
    reached = [kind for kind in KINDS if result.get('reaches', {}).get(kind)]
    learned = 'ok' if result['ok'] else 'no'
    return f'{learned}; {", ".join(reached) or "nothing"}; {result.get("why", "tested")}'


def page(results: Mapping[str, Any], num_families: int) -> str:
    """Return the table as a page of Markdown, of so many families as there are."""
    rows = []
    for family, result in sorted(results.items()):
        marks = ['yes' if result.get('reaches', {}).get(kind) else 'no' for kind in KINDS]
        learns = 'yes' if result['ok'] else f'no: {result["why"]}'
        if 'reaches' not in result:
            marks = [''] * len(KINDS)
        marks.append('yes' if result.get('tests') else f'no: {result["why"]}')
        if not result['ok']:
            marks[-1] = ''
        rows.append(f'| {family} | `{result["config"]}` | {learns} | {" | ".join(marks)} |')
    untried = num_families - len(results)
    on_gpu = sum(result['device'] == 'cuda' for result in results.values())
    text = PAGE.format(
        learned=_learned(results),
        tested=sum(bool(result.get('tests')) for result in results.values()),
        total=len(results),
        reached=_reached(results),
        on_gpu=on_gpu,
        untried=f' {untried} more have not been tried.' if untried else '',
    )
    return '\n'.join([text, *rows, ''])


def _learned(results: Mapping[str, Any]) -> int:
    return sum(result['ok'] for result in results.values())


def _reached(results: Mapping[str, Any]) -> int:
    return sum(
        result['ok'] and all(result.get('reaches', {}).get(kind) for kind in KINDS)
        for result in results.values()
    )


def bars(results: Mapping[str, Any]) -> dict[str, Bar]:
    """Return what a sweep has to reach."""
    return {
        'families that learn': Bar(_learned(results), 88),
        'families that all four kinds of uncertainty reach': Bar(_reached(results), 60),
    }


def main() -> int:
    """Parse arguments, sweep, print the table and the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--out', type=Path, default=Path('benchmarks/results/student_families.json')
    )
    parser.add_argument('--page', type=Path, help='a Markdown file for the table')
    parser.add_argument('--families', nargs='+', help='only these folders')
    parser.add_argument('--side', type=int, default=320, help="pixels of the pictures' sides")
    parser.add_argument('--memory', type=float, default=10.0, help='gigabytes a model, on a CPU')
    parser.add_argument('--timeout', type=int, default=300, help='seconds of computing a model')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    args = parser.parse_args()
    if args.families and args.out == parser.get_default('out'):
        raise UserError(fault('--families', 'a part of them needs an --out of its own'))
    check_writable('--out', args.out)
    register_all_modules(init_default_scope=False)
    # What an interrupted sweep has found so far.
    kept = Path('work_dirs/student_families.json')
    results: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
    sweep(results, args, kept)
    table = Table('family', 'config', 'learns', *KINDS, 'why not')
    for family, result in sorted(results.items()):
        marks = ['yes' if result.get('reaches', {}).get(kind) else '' for kind in KINDS]
        verdict = 'yes' if result['ok'] else 'no'
        table.add_row(family, result['config'], verdict, *marks, result.get('why', ''))
    console.print(table)
    if args.page:
        args.page.write_text(page(results, _num_families()), encoding='utf-8')
    code = write_results(args.out, {'families': results}, bars(results))
    kept.unlink(missing_ok=True)
    return code


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
