"""Combine trained detectors into one, from unlabeled images alone.

The front door: the names below are loaded when they are first used. Importing this package imports
neither torch nor any OpenMMLab package; it only looks at which of them are installed.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mmcompose.prerequisites import require_prerequisites
from mmcompose.version import __version__

if TYPE_CHECKING:
    from mmcompose.class_space import ClassSpace
    from mmcompose.commands.evaluate import evaluate_config as evaluate
    from mmcompose.commands.load import load
    from mmcompose.commands.plan import plan
    from mmcompose.commands.push import push
    from mmcompose.commands.report import report
    from mmcompose.commands.to_fiftyone import to_fiftyone
    from mmcompose.composition import Composition
    from mmcompose.labeling import LabelTransform
    from mmcompose.registry import list_label_transforms, list_teachers
    from mmcompose.store import LabelStore
    from mmcompose.structures import Detections, Image
    from mmcompose.teachers import Teacher
    from mmcompose.utils import UserError

require_prerequisites()

# Where each name is defined.
_HOMES = {
    'ClassSpace': 'class_space.ClassSpace',
    'Composition': 'composition.Composition',
    'Detections': 'structures.Detections',
    'Image': 'structures.Image',
    'LabelStore': 'store.LabelStore',
    'LabelTransform': 'labeling.LabelTransform',
    'Teacher': 'teachers.Teacher',
    'UserError': 'utils.UserError',
    'evaluate': 'commands.evaluate.evaluate_config',
    'list_label_transforms': 'registry.list_label_transforms',
    'list_teachers': 'registry.list_teachers',
    'load': 'commands.load.load',
    'plan': 'commands.plan.plan',
    'push': 'commands.push.push',
    'report': 'commands.report.report',
    'to_fiftyone': 'commands.to_fiftyone.to_fiftyone',
}

__all__ = [
    'ClassSpace',
    'Composition',
    'Detections',
    'Image',
    'LabelStore',
    'LabelTransform',
    'Teacher',
    'UserError',
    '__version__',
    'evaluate',
    'list_label_transforms',
    'list_teachers',
    'load',
    'plan',
    'push',
    'report',
    'to_fiftyone',
]


def __getattr__(name: str) -> Any:
    """Load a public name from its home."""
    if name not in _HOMES:
        # With the name and where it was looked for, Python adds the nearest one to the traceback.
        text = f'module {__name__!r} has no attribute {name!r}'
        raise AttributeError(text, name=name, obj=sys.modules[__name__])
    module, _, attribute = _HOMES[name].rpartition('.')
    value = getattr(import_module(f'{__name__}.{module}'), attribute)
    # The next look-up finds it here.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
