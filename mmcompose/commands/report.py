"""The composition card of a config."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmcompose.commands.config_files import read_compose_config
from mmcompose.commands.evaluate import check_img_prefix, evaluate_config, open_truth
from mmcompose.commands.student_labels import student_labels
from mmcompose.commands.trained_model import open_trained
from mmcompose.engine.checked import resolve_checked
from mmcompose.labeling import STUDENT
from mmcompose.reporting import CARD_FILES, Made, make_card
from mmcompose.reporting.pictures import MOST
from mmcompose.utils import UserError, check_writable, log, no_file, problem, warn

_PICTURES = 200


def report(
    config: str | Config,
    student: str | None = None,
    oracle: str | None = None,
    out: str | None = None,
    pictures: int = _PICTURES,
    ann_file: str | None = None,
    img_prefix: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
) -> Path:
    """Write a composition's card: ``card.html``, one page without a network, and ``card.md``.

    Labels that the store does not hold yet are made. Where the config has a validation set, or
    ``ann_file`` names another, teachers, labels and student are held against it. The labels are
    those that the student learned from: of a round of ``PseudoLabelRefreshHook``, too. Where its
    checkpoint names others, or none, a warning says so, the card does not list how the
    student was made, and no card beside the student is replaced.

    Args:
        config: A config with a composition, or its path.
        student: Path of the student's checkpoint.
        oracle: Path of a checkpoint of the same model, trained on true labels; it is held against
            a validation set, not without one.
        out: The folder. Defaults to the student's, else the config's work directory.
        pictures: How many pictures of the pool the card shows, at most 500. Defaults to 200.
        ann_file: A COCO json of true labels. Defaults to the config's validation set.
        img_prefix: The folder of its images; see
            :func:`mmcompose.commands.evaluate.evaluate_config`.
        cfg_options: Changes of the config by key, as a command line has them; the commands in the
            card have them, too. Defaults to none.

    Returns:
        The page's path.

    Raises:
        UserError: For a mistake in the config, or a checkpoint that does not fit it; if the student
            learns from several pools; if the student is of other labels, ``out`` is not given and
            its folder holds a card.
    """
    if not 1 <= pictures <= MOST:
        raise UserError(problem('pictures', pictures, f'is not a number from 1 to {MOST}'))
    for name, path in (('student', student), ('oracle', oracle), ('ann_file', ann_file)):
        if path is not None and not Path(path).is_file():
            raise UserError(no_file(name, path))
    check_img_prefix(img_prefix, ann_file)
    config = read_compose_config(config, cfg_options)
    is_scored = ann_file is not None or config.get('val_dataloader') is not None
    if oracle is not None and not is_scored:
        expected = 'has no effect without val_dataloader or a COCO json of true labels (--ann)'
        raise UserError(problem('oracle', oracle, expected))
    folder = Path(out or (Path(student).parent if student else config.get('work_dir') or '.'))
    check_writable('out', folder, folder=True)
    resolved = resolve_checked(config, ['val_dataloader'], is_run=False)
    composition, table = resolved.composition, None
    # Before any work, so that what is wrong of checkpoint, truth and pools is reported at once.
    model = None if student is None else open_trained(STUDENT, student, resolved)
    truth = open_truth(config, resolved, ann_file, img_prefix) if is_scored else None
    pool = composition.pool
    labels = composition.labels()
    shown, difference = labels.table, ''
    if student is not None:
        learned, difference = student_labels(student, config, labels, composition.store)
        shown = shown if learned is None else learned
    if difference:
        warn(f'{student} {difference}; the card shows the labels that this config makes')
        if out is None and any((folder / name).exists() for name in CARD_FILES):
            expected = 'holds a card already, and the student is not known to be of these labels'
            raise UserError(problem('out', str(folder), f'{expected}; name a folder with --out'))
    if truth is not None:
        table = evaluate_config(config, student, oracle, resolved=resolved, truth=truth)
    options = {
        'student': student,
        'oracle': oracle,
        'out': out,
        'pictures': None if pictures == _PICTURES else str(pictures),
        'ann': ann_file,
        'img-prefix': img_prefix,
    }
    commands = _commands(config.filename, cfg_options or {}, options)
    if difference:
        # What made the student is not known.
        commands = commands[-1:]
    pipeline = composition.pipeline.with_learned(labels.learned)
    made = Made.of(config, composition, pipeline, commands)
    if difference:
        made.title += ', beside a student not known to be of its labels'
    page = make_card(folder, made, composition, pool, shown, table, model, pictures)
    log(f'card: {page}')
    return page


def _commands(
    filename: str | None, cfg_options: Mapping[str, Any], options: Mapping[str, str | None]
) -> list[str]:
    """Return what makes the labels, the student and this card anew."""
    changes = [f'{key}={value}' for key, value in cfg_options.items()]
    config = [filename or 'CONFIG', *(('--cfg-options', *changes) if changes else ())]
    named = [p for name, v in options.items() if v is not None for p in (f'--{name}', v)]
    lines = (['label', *config], ['train', *config], ['report', *config, *named])
    return [shlex.join(['mmcompose', *line]) for line in lines]
