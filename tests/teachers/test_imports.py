"""Optional teachers cost nothing at import, and say in one line what they miss."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mmcompose.registry import TEACHERS, build
from mmcompose.utils import UserError

OPTIONAL = ('onnxruntime', 'transformers', 'requests', 'safetensors')


def test_the_room_is_imported_without_any_optional_package() -> None:
    absent = ''.join(f'sys.modules[{name!r}] = None\n' for name in OPTIONAL)
    code = (
        f'import sys\n{absent}'
        'from mmcompose.registry import TEACHERS, find\n'
        "print(find(TEACHERS, 'mmcompose.ONNXTeacher', 'type').__name__)\n"
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.stdout.strip() == 'ONNXTeacher', result.stderr


@pytest.mark.parametrize(
    ('package', 'extra', 'config'),
    [
        ('onnxruntime', 'onnx', {'type': 'ONNXTeacher', 'model': __file__, 'decode': 'detr'}),
        ('transformers', 'hf', {'type': 'HuggingFaceTeacher', 'model': 'a'}),
        (
            'requests',
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
