"""The composition table of a config."""

from __future__ import annotations

from pathlib import Path

from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DefaultScope

from mmcompose.commands.config_files import read_compose_config
from mmcompose.commands.export_student import exported_beside
from mmcompose.commands.labeled_set import NO_BOX, has_true_boxes, labeled_set
from mmcompose.commands.trained_model import open_trained
from mmcompose.composition import EXPORTED_STUDENT, ORACLE, STUDENT
from mmcompose.engine.checked import resolve_checked
from mmcompose.engine.resolve import Resolved
from mmcompose.evaluation import CompositionTable, evaluate
from mmcompose.teachers import ONNXTeacher, Teacher
from mmcompose.utils import UserError, fault, no_file, problem


def evaluate_config(
    config: str | Config,
    student: str | None = None,
    oracle: str | None = None,
    score_floor: float = 0.01,
    ann_file: str | None = None,
    img_prefix: str | None = None,
    resolved: Resolved | None = None,
    truth: BaseDataset | None = None,
) -> CompositionTable:
    """Score teachers, fused labels and, where given, the student and an oracle.

    A student that was exported to ONNX beside its checkpoint has a row of its own.

    Args:
        config: A config with a composition, or its path.
        student: Path of the student's checkpoint.
        oracle: Path of a checkpoint of the same model, trained on true labels.
        score_floor: Boxes below are left out in every row.
        ann_file: A COCO json to score on. Defaults to the config's validation set.
        img_prefix: The folder of the images of ``ann_file``, not without it; see
            :func:`labeled_set`.
        resolved: What the config comes to, where it was resolved already. Defaults to resolving it.
        truth: What :func:`open_truth` returns, where it was opened already. Defaults to opening it.

    Returns:
        The table.

    Raises:
        UserError: For a mistake in the config, or a checkpoint that does not fit it.
    """
    config = read_compose_config(config)
    if not 0 <= score_floor < 1:
        raise UserError(problem('score_floor', score_floor, 'is not in [0, 1)'))
    if ann_file is not None and not Path(ann_file).is_file():
        raise UserError(no_file('ann_file', ann_file))
    check_img_prefix(img_prefix, ann_file)
    resolved = resolved or resolve_checked(config, ['val_dataloader'], is_run=False)
    composition = resolved.composition
    if truth is None:
        truth = open_truth(config, resolved, ann_file, img_prefix)
    # Before any work, so that a wrong checkpoint is reported at once.
    models: dict[str, Teacher] = {
        name: open_trained(name, checkpoint, resolved)
        for name, checkpoint in ((STUDENT, student), (ORACLE, oracle))
        if checkpoint is not None
    }
    exported = None if student is None else exported_beside(student, composition.classes)
    if exported is not None:
        models[EXPORTED_STUDENT] = ONNXTeacher(model=str(exported))
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmdet'):
        learns = bool(composition.pipeline.rounds)
        pipeline = composition.fitted_pipeline() if learns else composition.pipeline
        return evaluate(composition, truth, models, score_floor, pipeline)


def open_truth(
    config: Config, resolved: Resolved, ann_file: str | None = None, img_prefix: str | None = None
) -> BaseDataset:
    """Return the labeled set to score on; arguments are those of :func:`evaluate_config`.

    Raises:
        UserError: If there is none, or no true box in it is of a class of the student.
    """
    validation = resolved.config.get('val_dataloader')
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmdet'):
        if ann_file is not None:
            composition = resolved.composition
            return labeled_set(config, composition, ann_file, img_prefix, drop_unmapped=True)
        if validation is None:
            expected = 'is missing; there is nothing to score on without a COCO json of true labels'
            raise UserError(fault('val_dataloader', expected))
        truth = DATASETS.build(validation.dataset)
        if not has_true_boxes(truth):
            raise UserError(fault('val_dataloader.dataset', NO_BOX))
    return truth


def check_img_prefix(img_prefix: str | None, ann_file: str | None) -> None:
    """Check that a folder of images goes with the COCO json whose images it holds.

    Raises:
        UserError: If there is a folder alone; the validation set has its own.
    """
    if img_prefix is not None and ann_file is None:
        expected = 'has no effect without a COCO json of true labels (--ann)'
        raise UserError(problem('img_prefix', img_prefix, expected))
