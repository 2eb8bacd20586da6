"""A model that a composition's config trained, opened to be looked at beside its labels."""

from __future__ import annotations

from mmcompose.checks.check_files import check_checkpoint
from mmcompose.engine.resolve import Resolved
from mmcompose.teachers import MMDetTeacher
from mmcompose.utils import UserError, key_prefix, problem


def open_trained(name: str, checkpoint: str, resolved: Resolved) -> MMDetTeacher:
    """Open a student, or an oracle; its weights are loaded where it predicts.

    Args:
        name: 'student' or 'oracle', as messages name it.
        checkpoint: Path of its checkpoint.
        resolved: What its config comes to.

    Raises:
        UserError: If the checkpoint is missing, the config has no test pipeline, or the model was
            trained on other classes than the composition has: its boxes would bear wrong names.
    """
    check_checkpoint(f'{name}.checkpoint', checkpoint)
    with key_prefix(name):
        model = MMDetTeacher(config=resolved.config, checkpoint=checkpoint)
        model.load()
    classes = resolved.composition.classes
    if model.classes != classes:
        raise UserError(
            problem(
                f'{name}.checkpoint',
                checkpoint,
                f'was trained on other classes '
                f'({len(model.classes)}, from {model.classes[0]!r} on) than the composition has '
                f'({len(classes)}, from {classes[0]!r} on)',
            )
        )
    return model
