"""Flip bits of a store that `mmcompose label` reads: no other label, and no segmentation fault."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fault_world import World

SAME, TOLD, OTHER, CRASHED = 'the same labels', 'told in one line', 'other labels', 'crashed'


@dataclass
class Flip:
    """A bit that was flipped, and what became of the labels.

    Args:
        file: In the store.
        place: Of the byte in it.
        bit: Of the byte.
        outcome: One of the four above.
        told: What was written to stderr.
    """

    file: str
    place: int
    bit: int
    outcome: str
    told: list[str]


def flip_many(folder: Path, count: int) -> list[Flip]:
    """Flip bits in copies of a store, one each, and label from each."""
    world, chance = World(folder / 'world'), random.Random(0)
    whole, export = folder / 'whole', folder / 'labels.json'
    assert world.start(whole, 1, 0.0, '--export', str(export)).wait() == 0
    expected = _labels(export)
    files = sorted(path.relative_to(whole) for path in whole.rglob('*') if path.is_file())
    flips = []
    for number in range(count):
        store, file = folder / f'{number}', chance.choice(files)
        shutil.copytree(whole, store)
        content = bytearray((store / file).read_bytes())
        place, bit = chance.randrange(len(content)), chance.randrange(8)
        content[place] ^= 1 << bit
        (store / file).write_bytes(content)
        # Every other one loses its labels, so that they are made of what the flip may have hit.
        if number % 2:
            for labels in store.glob('labels/*/labels-*'):
                labels.unlink()
        export.unlink(missing_ok=True)
        run = world.start(store, 1, 0.0, '--export', str(export))
        code = run.wait()
        outcome = CRASHED
        if code == 0:
            outcome = SAME if _labels(export) == expected else OTHER
        elif code == 2 and len(run.told) == 1:
            outcome = TOLD
        flips.append(Flip(str(file), place, bit, outcome, run.told))
        shutil.rmtree(store)
    return flips


def _labels(path: Path) -> object:
    content = json.loads(path.read_text())
    return content['annotations'], content['images'], content['categories']
