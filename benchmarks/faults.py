"""What happens when processes are killed, bits flip, and files and answers are not what they seem.

    python benchmarks/faults.py --out benchmarks/results/faults.json

Runs `mmcompose label` with slow teachers and kills it at random moments, whole or in part, by
every signal; kills a process of a launcher's group; flips bits of a store; labels odd pictures;
reads files that would run a program; and asks a server that answers with nonsense. Fifty kills
take about fifteen minutes on two idle cores; `--kills 200` is the long form. Linux only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Bar, console, exit_on_mistake, write_results
from benchmarks.fault_answers import ask_for_malformed_answers
from benchmarks.fault_flips import CRASHED, OTHER, flip_many
from benchmarks.fault_hostile import read_hostile_files
from benchmarks.fault_kills import INTERRUPT_SECONDS, ORPHAN_SECONDS, Kill, kill_many
from benchmarks.fault_peers import lose_peers
from benchmarks.fault_pictures import label_odd_pictures

KILLS, FLIPS = 50, 120


def main() -> int:
    """Run what is asked for, and print the bars."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--kills', type=int, default=KILLS, help='runs that are killed')
    parser.add_argument('--flips', type=int, default=FLIPS, help='bits that are flipped')
    parser.add_argument('--only', nargs='*', choices=PARTS, default=list(PARTS))
    parser.add_argument('--out', type=Path, help='file for the results')
    args = parser.parse_args()
    figures: dict[str, Any] = {}
    bars: dict[str, Bar] = {}
    seconds: dict[str, float] = {}
    for name in args.only:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            figures[name], more = PARTS[name](Path(folder), args)
        bars |= more
        seconds[name] = round(time.monotonic() - started, 1)
        console.print(f'{name}: {seconds[name]} s', more, markup=False)
    if args.out is not None:
        return write_results(args.out, figures, bars, seconds)
    return 0 if all(bar.ok for bar in bars.values()) else 1


Part = tuple[Any, dict[str, Bar]]


def kills(folder: Path, args: argparse.Namespace) -> Part:
    """Kill runs at random moments, and run each again."""
    found = kill_many(folder, args.kills)
    orphans = sum(kill.gone >= ORPHAN_SECONDS for kill in found)
    late = [k for k in found if k.is_interrupt and k.gone > INTERRUPT_SECONDS]
    bars = {
        'stores of the same bytes after a kill': Bar(sum(k.is_same for k in found), len(found)),
        f'runs with orphans after {ORPHAN_SECONDS:g} s': Bar(orphans, 0, at_most=True),
        'runs that end with their exit code, in one line': Bar(
            sum(kill.ended_right for kill in found), len(found)
        ),
        f'interrupts that take over {INTERRUPT_SECONDS:g} s': Bar(len(late), 0, at_most=True),
    }
    return {'kills': _counted(found), 'amiss': [asdict(k) for k in found if _is_amiss(k)]}, bars


def _counted(found: list[Kill]) -> dict[str, int]:
    return dict(Counter(f'{k.target}, {k.workers} processes' for k in found))


def _is_amiss(kill: Kill) -> bool:
    return not (kill.is_same and kill.ended_right and kill.gone < ORPHAN_SECONDS)


def peers(folder: Path, args: argparse.Namespace) -> Part:
    """Kill one process of groups of two."""
    found = lose_peers(folder)
    right = sum(each.is_right for each in found)
    name = 'lost peers after which the other ends within 60 s and a new run goes on'
    return [asdict(each) for each in found], {name: Bar(right, len(found))}


def flips(folder: Path, args: argparse.Namespace) -> Part:
    """Flip bits of a store."""
    found = flip_many(folder, args.flips)
    counts = Counter(flip.outcome for flip in found)
    amiss = [asdict(flip) for flip in found if flip.outcome in (OTHER, CRASHED)]
    bars = {
        'flipped bits that make other labels': Bar(counts[OTHER], 0, at_most=True),
        'flipped bits that crash': Bar(counts[CRASHED], 0, at_most=True),
    }
    return {'outcomes': dict(counts), 'amiss': amiss}, bars


def pictures(folder: Path, args: argparse.Namespace) -> Part:
    """Label odd pictures."""
    found = label_odd_pictures(folder)
    counts = Counter(each.outcome for each in found if each.is_right)
    amiss = [asdict(each) for each in found if not each.is_right]
    bar = Bar(counts.total(), len(found))
    return {'outcomes': dict(counts), 'amiss': amiss}, {'odd pictures right or recorded': bar}


def hostile(folder: Path, args: argparse.Namespace) -> Part:
    """Read files that would run a program."""
    found = read_hostile_files(folder)
    bars = {'hostile files that run': Bar(sum(each.has_run for each in found), 0, at_most=True)}
    return [asdict(each) for each in found], bars


def answers(folder: Path, args: argparse.Namespace) -> Part:
    """Ask a server that answers with nonsense."""
    found = ask_for_malformed_answers()
    told = sum(len(each.told) == 1 for each in found)
    bars = {'malformed answers told in one line': Bar(told, len(found))}
    return [asdict(each) for each in found], bars


PARTS: dict[str, Callable[[Path, argparse.Namespace], Part]] = {
    each.__name__: each for each in (hostile, answers, pictures, peers, flips, kills)
}


if __name__ == '__main__':
    sys.exit(exit_on_mistake(main))
