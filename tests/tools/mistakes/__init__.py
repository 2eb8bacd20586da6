"""Mistakes that a user may type, by what they are in: a change of the toy config, and its line.

Each is a key of the config, the value that is put there, how the one line begins, and the nearest
valid name with which it ends, None where there is none.
"""

from __future__ import annotations

from tests.tools.mistakes import composition, label_pipeline, loaders, model, root, training

Mistake = tuple[str, object, str, str | None]

MISTAKES: tuple[Mistake, ...] = (
    *composition.MISTAKES,
    *label_pipeline.MISTAKES,
    *loaders.MISTAKES,
    *model.MISTAKES,
    *root.MISTAKES,
    *training.MISTAKES,
)
