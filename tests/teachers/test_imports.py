"""Optional teachers cost nothing at import, and say in one line what they miss."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mmcompose.registry import TEACHERS, build, find
from mmcompose.utils import UserError

OPTIONAL = ('onnxruntime', 'transformers', 'urllib3', 'safetensors')


# MMEngine itself looks for transformers; what counts is who of mmcompose asks for what.
LOOK = """
import builtins, sys
OPTIONAL = {optional!r}
asked, real = [], builtins.__import__
def look(name, globals=None, *rest, **more):
    importer = (globals or {{}}).get('__name__', '')
    if name.split('.')[0] in OPTIONAL and importer.split('.')[0] == 'mmcompose':
        asked.append((importer, name))
    return real(name, globals, *rest, **more)
builtins.__import__ = look
import mmcompose
early = sorted({{*OPTIONAL, 'torch', 'mmengine', 'mmdet'}} & set(sys.modules))
for name in OPTIONAL:
    sys.modules[name] = None  # as if it were not installed
from mmcompose.registry import TEACHERS, build, find
found = find(TEACHERS, 'mmcompose.ONNXTeacher', 'type').__name__
config = dict(type='mmcompose.FunctionTeacher', function='math.sqrt', classes=['a'])
classes = build(TEACHERS, config, 'teacher').classes
print(early, found, classes, asked)
"""


def test_a_config_without_them_imports_no_optional_package() -> None:
    code = LOOK.format(optional=OPTIONAL)
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    # MMDetection's forks print lines of their own before.
    assert result.stdout.splitlines()[-1:] == ["[] ONNXTeacher ('a',) []"], result.stderr


@pytest.mark.parametrize('path', ['mmcompose.teachers', 'mmcompose.teachers.function'])
def test_a_type_may_be_the_import_path_of_what_is_registered(path: str) -> None:
    assert find(TEACHERS, f'{path}.FunctionTeacher', 'type') is TEACHERS.get('FunctionTeacher')


@pytest.mark.parametrize(
    'path',
    ['pathlib.Path', 'mmcompose.teachers.Teacher', 'no.such', 'a..b', '.FunctionTeacher', 'a.'],
)
def test_another_import_path_is_no_type(path: str) -> None:
    with pytest.raises(UserError, match=f"'{path}' is not a registered teacher"):
        find(TEACHERS, path, 'type')


def test_a_name_without_a_package_is_not_imported() -> None:
    with pytest.raises(UserError, match="'this' is not a registered teacher"):
        find(TEACHERS, 'this', 'type')
    assert 'this' not in sys.modules


@pytest.mark.parametrize(
    ('package', 'extra', 'config'),
    [
        ('onnxruntime', 'onnx', {'type': 'ONNXTeacher', 'model': __file__, 'decode': 'detr'}),
        ('transformers', 'hf', {'type': 'HuggingFaceTeacher', 'model': 'a'}),
        (
            'urllib3',
            'http',
            {
                'type': 'HTTPTeacher',
                'url': 'http://a',
                'model': 'a',
                'decode': 'detr',
                'preprocess': {'scale': (8, 8)},
            },
        ),
    ],
)
def test_a_missing_package_is_told_with_its_extra(
    package: str, extra: str, config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    classes = {} if package == 'transformers' else {'classes': ['a']}
    message = rf"^teacher\.type: needs {package}, .*: pip install 'mmcompose\[{extra}\]'$"
    with pytest.raises(UserError, match=message):
        build(TEACHERS, {**config, **classes}, 'teacher')
