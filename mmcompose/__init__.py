"""Combine trained detectors into one, from unlabeled images alone.

Importing this package imports neither torch nor any OpenMMLab package; it only looks at which of
them are installed.
"""

from mmcompose.prerequisites import require_prerequisites
from mmcompose.version import __version__

require_prerequisites()

__all__ = ['__version__']
