"""A config of what is at hand."""

from __future__ import annotations

import keyword
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from pprint import pformat
from typing import Any

from mmcompose.class_space import shipped_ties
from mmcompose.commands.onnx_guess import guess_onnx
from mmcompose.commands.student_config import StudentConfig, read_student
from mmcompose.composition import RESERVED_NAMES
from mmcompose.registry import TEACHERS, build
from mmcompose.teachers import MMDetTeacher, Teacher
from mmcompose.teachers.mmdet.zoo import zoo_model
from mmcompose.teachers.onnx_about import read_beside
from mmcompose.utils import (
    UserError,
    atomic_write,
    check_writable,
    key_prefix,
    log,
    no_file,
    no_folder,
    problem,
)

STUDENT = 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py'
_WEIGHTS = ('.pth', '.safetensors')
# A path may have a colon in it, but a config has no weights in its name.
_FILE_AND_CONFIG = re.compile(r'(.+\.(?:pth|safetensors|onnx)):(.*)')
# A suffix, or one colon; in names of the zoo a number may have a dot: paa_r50_fpn_1.5x_coco.
_LIKE_A_FILE = re.compile(r'\.[A-Za-z]\w*$|(?<!:):(?!:)')
# Of what an ONNX file, and a json beside it, may lack.
_EXAMPLES = {'classes': "['cat', 'dog']", 'decode': "'ultralytics'"}
# Names that trainings give to checkpoints: the folder names the model.
_OF_ANY = re.compile(r'(epoch|iter)_\d+|best_.*|latest|last|best|model|checkpoint|weights')


def init(
    teachers: Sequence[str],
    images: str,
    student: str = STUDENT,
    out: str = 'compose.py',
) -> Path:
    """Write a config that composes the given files; what they do not hold is a commented line.

    Args:
        teachers: Of each ``checkpoint.pth:config.py``, an ``.onnx`` file, or the name of a model of
            MMDetection's zoo.
        images: The folder of unlabeled pictures, or a glob.
        student: The config that the student starts from: a file, or one of MMDetection's by its
            name. Defaults to RTMDet-tiny's.
        out: The file to write.

    Returns:
        ``out``.

    Raises:
        UserError: If a file, config or model of the zoo is missing or cannot be read, the student's
            config has no ``train_pipeline``, or ``out`` is there already, or does not end in
            ``.py``.
    """
    if Path(out).exists():
        raise UserError(problem('out', out, 'is there already; name another, or move it away'))
    if Path(out).suffix != '.py':
        raise UserError(problem('out', out, 'is no name of a config; it has to end in .py'))
    check_writable('out', out)
    if (
        '://' not in images
        and not any(sign in images for sign in '*?[')
        and not os.path.isdir(images)
    ):
        raise UserError(no_folder('images', images))
    read = read_student(student, Path(out))
    configs: dict[str, dict[str, Any]] = {}
    for given in teachers:
        config = _teacher(given)
        configs[_name(config, configs)] = config
    classes = {name: _classes(name, config) for name, config in configs.items()}
    text = _text(configs, classes, images, read, Path(out))
    with atomic_write('out', out) as path:
        path.write_text(text, encoding='utf-8')
    count = f'{len(configs)} teacher{"s" if len(configs) != 1 else ""}'
    command = shlex.join(['mmcompose', 'plan', out])
    log(f'{out}: {count}; look at the commented lines, then: {command}')
    return Path(out)


def _teacher(given: str) -> dict[str, Any]:
    parts = _FILE_AND_CONFIG.fullmatch(given)
    file, config = parts.groups() if parts else (given, '')
    if file.endswith('.onnx') and not config:
        if not Path(file).is_file():
            raise UserError(no_file('--teacher', file))
        return {'type': 'mmcompose.ONNXTeacher', 'model': file, **guess_onnx(file)}
    if file.endswith(_WEIGHTS):
        if not Path(file).is_file():
            raise UserError(no_file('--teacher', file))
        if not config:
            expected = 'names no config; give checkpoint.pth:config.py'
            raise UserError(problem('--teacher', given, expected))
        return {'type': 'mmcompose.MMDetTeacher', 'config': config, 'checkpoint': file}
    try:
        zoo_model(given)
    except UserError as error:
        if _LIKE_A_FILE.search(given):
            expected = 'is none of checkpoint.pth:config.py, model.onnx, and a name of the zoo'
            raise UserError(problem('--teacher', given, expected)) from error
        raise UserError(*(replace(each, key='--teacher') for each in error.problems)) from error
    return {'type': 'mmcompose.MMDetTeacher', 'model': given}


def _name(config: Mapping[str, Any], taken: Mapping[str, Any]) -> str:
    """Return a name after the teacher's file, its folder or its model, that no other has."""
    if _is_of_zoo(config):
        name = str(config['model']).rpartition('::')[2]
    else:
        path = Path(config.get('checkpoint') or config['model']).absolute()
        name = path.parent.name if _OF_ANY.fullmatch(path.stem) else path.stem
    stem = ''.join(c if f'_{c}'.isidentifier() else '_' for c in name).strip('_') or 'teacher'
    if not stem.isidentifier() or keyword.iskeyword(stem) or stem in (*RESERVED_NAMES, 'type'):
        stem = f'teacher_{stem}'
    number = 1
    while (name := stem if number == 1 else f'{stem}_{number}') in taken:
        number += 1
    return name


def _classes(name: str, config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return a teacher's classes, None where its file does not hold all that it takes."""
    # A model of the zoo is not downloaded for its names.
    if _is_of_zoo(config) or _absent(config):
        return None
    key = f'--teacher {name}'
    teacher: Teacher = build(TEACHERS, config, key)
    # One that reads text may have to download what reads it.
    if isinstance(teacher, MMDetTeacher) and not teacher.is_open_vocabulary:
        with key_prefix(key):
            # A config of another model is told now, and not where labels are made.
            teacher.detector()
    return teacher.classes


def _is_of_zoo(config: Mapping[str, Any]) -> bool:
    return config['type'] == 'mmcompose.MMDetTeacher' and 'model' in config


def _absent(config: Mapping[str, Any]) -> list[str]:
    """Return the arguments that a teacher needs, and neither its file nor its json holds."""
    if config['type'] != 'mmcompose.ONNXTeacher':
        return []
    held = {*config, *read_beside('--teacher', Path(config['model']))}
    return [name for name in _EXAMPLES if name not in held]


def _text(
    configs: Mapping[str, Mapping[str, Any]],
    classes: Mapping[str, tuple[str, ...] | None],
    images: str,
    student: StudentConfig,
    out: Path,
) -> str:
    compose = _default_compose(out, bool(student.imports))
    lines = [f'_base_ = [{student.base!r}, {compose!r}]', '']
    if student.imports:
        imports = list(dict.fromkeys((*student.imports, 'mmcompose.engine')))
        allowed = f'allow_failed_imports={student.allow_failed_imports}'
        lines += [f'custom_imports = dict(imports={imports!r}, {allowed})', '']
    lines += ['composition = dict(', '    teachers=dict(']
    for name, config in configs.items():
        known = classes[name]
        lines.append(f'        {name}=dict(  # {_comment(config, known)}')
        lines += [
            f'            {key}={pformat(value, compact=True)},' for key, value in config.items()
        ]
        lines += [
            f'            # The file does not hold: {name}={_EXAMPLES[name]},'
            for name in _absent(config)
        ]
        lines.append('        ),')
    lines.append('    ),')
    every = [name for known in classes.values() for name in known or ()]
    ties = sorted({table for _, _, table in shipped_ties(every, every)})
    lines.append(f'    class_space=dict(aliases={ties!r}),')
    lines += ['    store=' + repr(f'work_dirs/{out.stem}/labels') + ',', ')', '']
    if student.tested is not None:
        lines += [f'test_pipeline = {student.tested}', '']
    lines += [
        'train_dataloader = dict(',
        '    dataset=dict(',
        '        _delete_=True,',
        *(f'        {line}' for line in _training_set(images, student)),
        '    )',
        ')',
        '# Name a labeled set here to score on it; without one there is no validation.',
        'val_dataloader = val_evaluator = val_cfg = None',
        'test_dataloader = test_evaluator = test_cfg = None',
    ]
    return '\n'.join(lines) + '\n'


def _training_set(images: str, student: StudentConfig) -> list[str]:
    """Return the arguments of the training set, with what the student's own has around it."""
    mix = student.mix
    pipeline = '_base_.train_pipeline' if mix is None else mix.pipeline
    pictures = [
        "type='mmcompose.PseudoLabeledDataset',",
        'dataset=dict(',
        f"    type='mmcompose.UnlabeledImages', data_prefix=dict(img={images!r})",
        '),',
        f'pipeline={pipeline},',
    ]
    if mix is None:
        return pictures
    return [
        "type='MultiImageMixDataset',",
        'dataset=dict(',
        *(f'    {line}' for line in pictures),
        '),',
        'pipeline=_base_.train_pipeline,',
        *(f'{name}={value!r},' for name, value in mix.options.items()),
    ]


def _comment(config: Mapping[str, Any], known: tuple[str, ...] | None) -> str:
    if known is not None:
        return f'{len(known)} classes'
    if config['type'] == 'mmcompose.ONNXTeacher':
        return 'complete the commented lines'
    return 'its classes are known once it is downloaded'


def _default_compose(out: Path, beside_imports: bool) -> str:
    """Return the path of ``default_compose.py``, from the new config where both are in one tree."""
    file = 'default_compose_beside_imports.py' if beside_imports else 'default_compose.py'
    package = Path(__file__).resolve().parents[1]
    candidates = (package.parent / 'configs', package / '.mim' / 'configs')
    folder = next(path for path in candidates if (path / '_base_').is_dir())
    base = folder / '_base_' / file
    here = out.absolute().parent
    inside = here.is_relative_to(package.parent)
    return os.path.relpath(base, here) if inside else str(base)
