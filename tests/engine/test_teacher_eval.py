"""Tests of TeacherEvalHook: what it needs."""

from __future__ import annotations

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmcompose.engine.hooks import TeacherEvalHook
from mmcompose.utils import UserError


def test_a_model_without_a_teacher_is_refused_before_it_trains() -> None:
    with DefaultScope.overwrite_default_scope('mmdet'):
        TeacherEvalHook().check(Config({'model': {'type': 'SoftTeacher'}}))
        with pytest.raises(UserError, match="TeacherEvalHook' is of a RetinaNet, which has no"):
            TeacherEvalHook().check(Config({'model': {'type': 'RetinaNet'}}))
