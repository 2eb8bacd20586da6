"""The guide to the rooms names only what is there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.test_rooms import INNER

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / 'docs' / 'architecture.md').read_text(encoding='utf-8')
NAMED = sorted(set(re.findall(r'`((?:mmcompose|tests)/[\w/.]+)`', GUIDE)))


def test_every_path_that_the_guide_names_exists() -> None:
    assert len(NAMED) > 25
    assert [path for path in NAMED if not (ROOT / path).exists()] == []


def test_the_guide_names_every_room() -> None:
    rooms = {module.split('.')[1] for module in INNER} - {'prerequisites', 'version', '__main__'}
    named = {
        path.split('/')[1].removesuffix('.py') for path in NAMED if path.startswith('mmcompose')
    }
    assert rooms - named == set()
