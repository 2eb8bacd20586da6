"""The composition card of a config."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mmengine.config import Config

from mmcompose.commands.config_files import read_compose_config
from mmcompose.commands.evaluate import evaluate_config
from mmcompose.commands.load import load
from mmcompose.composition import Composition
from mmcompose.engine.resolve import resolve
from mmcompose.registry import type_name
from mmcompose.reporting import Made, choose, gather, write_card
from mmcompose.reporting.pictures import MOST
from mmcompose.teachers import MMDetTeacher
from mmcompose.utils import UserError, check_writable, key_prefix, log, no_file, problem
from mmcompose.version import __version__

_PACKAGES = ('torch', 'mmcv', 'mmengine', 'mmdet', 'numpy')


def report(
    config: str | Config,
    student: str | None = None,
    oracle: str | None = None,
    out: str | None = None,
    pictures: int = 200,
) -> Path:
    """Write a composition's card: ``card.html``, one page without a network, and ``card.md``.

    Labels that the store does not hold yet are made. Where the config has a validation set, the
    composition table is scored on it.

    Args:
        config: A config with a composition, or its path.
        student: Path of the student's checkpoint.
        oracle: Path of a checkpoint of the same model, trained on true labels.
        out: The folder. Defaults to the student's, else the config's work directory.
        pictures: How many pictures of the pool the card shows, at most 500. Defaults to 200.

    Returns:
        The page's path.

    Raises:
        UserError: For a mistake in the config, or a checkpoint that does not fit it.
    """
    if not 1 <= pictures <= MOST:
        raise UserError(problem('--pictures', pictures, f'is not a number from 1 to {MOST}'))
    for name, path in (('student', student), ('oracle', oracle)):
        if path is not None and not Path(path).is_file():
            raise UserError(no_file(f'--{name}', path))
    config = read_compose_config(config)
    folder = Path(out or (Path(student).parent if student else config.get('work_dir') or '.'))
    check_writable('--out', folder, folder=True)
    scored = config.get('val_dataloader') is not None
    table = evaluate_config(config, student, oracle) if scored else None
    composition = load(config)
    labels = composition.labels()
    model = None
    if student is not None:
        with key_prefix('student'):
            model = MMDetTeacher(config=resolve(config), checkpoint=student)
    shown = choose(composition, composition.pool, labels, model, pictures)
    facts = gather(composition, composition.pool, labels)
    page = write_card(folder, _made(config, composition), facts, shown, table)
    log(f'card: {page}')
    return page


def _made(config: Config, composition: Composition) -> Made:
    teachers = {
        name: f'{type_name(config.composition.teachers[name])} {record["identity"]}'
        for name, record in composition.teacher_records.items()
    }
    versions = {'mmcompose': __version__}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            # A fork has the import name of another distribution.
            continue
    name = Path(config.filename).stem if config.filename else 'composition'
    learned = composition.fitted_pipeline(composition.pool).describe_learned()
    return Made(name, config.pretty_text, learned, teachers, versions)
