"""Which of MMDetection's families can teach: each labels two pictures with random weights.

    python benchmarks/teacher_families.py --out benchmarks/results/teacher_families.json

Takes the smallest variant of each folder of the installed mmdet's configs, one process at a time
with a limit on its memory and time; a sweep that was interrupted goes on where it stopped.
Thresholds on scores are set to 0, since random weights stay under the usual ones, and test sizes
are cut to keep the sweep short (``--long-side``). Models that read text get a small random BERT in
place of the published one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from common import Bar, console, exit_on_mistake, write_results
from family_trials import tried
from mmdet.utils import register_all_modules
from random_detectors import label_two_pictures
from rich.table import Table

from mmcompose.prerequisites import package_folder
from mmcompose.utils import UserError, check_writable, fault, write_json

# How much larger than its family's smallest a variant is likely to be, by words of its name.
LARGER = """
    x101 r101 r152 s101 swin-l swin-b swin_b swin_l hourglass regnetx-1 regnetx-8 regnetx-6 w32 w40
    _x_ _l_ _m_ -x_ -l_ d53 b5 b4 b3 b2 b1 panoptic mask p6 dcn ms- 2x 3x 24e crop sota gn pretrain
    flickr refcoco lvis odinw v3d o365 finetune fp16 amp llvip reid fast-rcnn rpn_r50 htc dpool
    mot20 mot17train_test-mot17train
    """.split()
SMALLER = {'nano': 4, 'tiny': 3, 'r18': 2, '_s_': 2, 'b0': 2, '0.4gf': 2, '400mf': 2, 'w18': 2}
PAGE = """# Which families of MMDetection can teach

Each folder of MMDetection's configs, by its smallest variant, with random weights and two pictures:
{taught} of {total} families find boxes through `MMDetTeacher`. Of a model that tracks objects in
videos, the detector inside teaches. Written by

```shell
python benchmarks/teacher_families.py --out benchmarks/results/teacher_families.json \\
    --page docs/teacher_families.md
```

on the CPU, with `transformers` installed beside mmdet, and without mmpretrain and detectron2, which
some families need.

| family | config | teaches |
|---|---|---|"""
NO_MODELS = ('_base_', 'common', 'dsdl')
# Reasons that no other weights would change: what the model wants is not there, or it is no
# detector of single pictures.
FOR_GOOD = (
    'is not installed',
    'Please install',
    'mim install',
    'name a GPU',
    'needs proposals made by another',
    'only detectors of single pictures can teach',
)


def smallest_variants(configs: Path) -> Iterator[tuple[str, Path]]:
    """Yield each family and the variant that is likely to be its smallest."""
    for family, variants in variants_by_size(configs):
        yield family, variants[0]


def variants_by_size(configs: Path) -> Iterator[tuple[str, list[Path]]]:
    """Yield each family and its variants, first the one that is likely to be the smallest."""
    for folder in sorted(configs.iterdir()):
        variants = [
            path for path in folder.glob('*.py') if not path.stem.endswith(('_tta', '_base'))
        ]
        if folder.name not in NO_MODELS and variants:
            yield folder.name, sorted(variants, key=_likely_size)


def _likely_size(path: Path) -> tuple[int, int, str]:
    name = f'{path.stem}_'
    size = sum(word in name for word in LARGER)
    size -= sum(gain for word, gain in SMALLER.items() if word in name)
    return size, len(name), name


@dataclass(frozen=True)
class Trial:
    """How a family's variant is tried.

    Args:
        gigabytes: Of memory that it may use.
        seconds: Of computing that it may take.
        long_side: What larger test sizes are cut to, in pixels.
        settled: Widen its heads, and let its batch norms see noise first.
    """

    gigabytes: float
    seconds: int
    long_side: int
    settled: bool = False

    def run(self, path: Path) -> dict[str, Any]:
        """Label in a process of its own, within the limits."""
        return {'ok': False, **tried(partial(self._label, path), self.seconds, self.gigabytes)}

    def _label(self, path: Path, folder: Path) -> Iterable[tuple[str, Any]]:
        return label_two_pictures(path, self.long_side, self.settled, folder).items()


def is_for_good(why: str) -> bool:
    """Return whether a family cannot teach here whatever its weights are."""
    return any(reason in why for reason in FOR_GOOD)


def trials(path: Path, first: Trial) -> dict[str, Any]:
    """Try a variant, and once more in another way where that may help."""
    result = first.run(path)
    if 'kernel' in result['why'].lower():
        # A small picture's last feature map is smaller than the kernel that slides over it.
        return replace(first, long_side=2 * first.long_side).run(path)
    if result['ok'] or is_for_good(result['why']):
        return result
    return replace(first, settled=True).run(path)


def sweep(results: dict[str, Any], args: argparse.Namespace, kept: Path) -> None:
    """Label with each family that has no result yet, and keep each result at once."""
    folder = package_folder('mmdet')
    assert folder is not None
    first = Trial(args.memory, args.timeout, args.long_side)
    for family, path in smallest_variants(folder / '.mim' / 'configs'):
        known = results.get(family, {})
        if args.families and family not in args.families:
            continue
        if known.get('config') == path.stem:
            continue
        results[family] = {'config': path.stem, **trials(path, first)}
        result = results[family]
        console.print(f'{family:28} {"ok" if result["ok"] else result["why"]}', markup=False)
        write_json('work_dirs', kept, results)


def page(results: dict[str, Any]) -> str:
    """Return the table as a page of Markdown."""
    taught = sum(result['ok'] for result in results.values())
    rows = [
        f'| {family} | `{result["config"]}` | {"yes" if result["ok"] else "no: " + result["why"]} |'
        for family, result in sorted(results.items())
    ]
    return '\n'.join([PAGE.format(taught=taught, total=len(results)), *rows, ''])


def bars(results: Mapping[str, Any]) -> dict[str, Bar]:
    """Return what a sweep has to reach."""
    failing = [
        family
        for family, result in results.items()
        if not result['ok'] and not is_for_good(result['why'])
    ]
    return {
        'families that fail though nothing they need is missing': Bar(len(failing), 0, at_most=True)
    }


def main() -> int:
    """Parse arguments, sweep, print the table and the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--out', type=Path, default=Path('benchmarks/results/teacher_families.json')
    )
    parser.add_argument('--page', type=Path, help='a Markdown file for the table')
    parser.add_argument('--families', nargs='+', help='only these folders')
    parser.add_argument('--long-side', type=int, default=320, help='pixels')
    parser.add_argument('--memory', type=float, default=8.0, help='gigabytes a model')
    parser.add_argument('--timeout', type=int, default=180, help='seconds of computing a model')
    args = parser.parse_args()
    if args.families and args.out == parser.get_default('out'):
        raise UserError(fault('--families', 'a part of them needs an --out of its own'))
    check_writable('--out', args.out)
    register_all_modules(init_default_scope=False)
    # What an interrupted sweep has found so far.
    kept = Path('work_dirs/teacher_families.json')
    results: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
    sweep(results, args, kept)
    table = Table('family', 'config', 'teaches', 'why not')
    for family, result in sorted(results.items()):
        table.add_row(family, result['config'], 'yes' if result['ok'] else 'no', result['why'])
    console.print(table)
    console.print(f'{sum(r["ok"] for r in results.values())} of {len(results)} families teach')
    if args.page:
        args.page.write_text(page(results), encoding='utf-8')
    code = write_results(args.out, {'families': results}, bars(results))
    kept.unlink(missing_ok=True)
    return code


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
