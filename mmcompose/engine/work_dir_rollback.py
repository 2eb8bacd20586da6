"""What building a run writes: a run that fails before its first step takes it back."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path


class WorkDirRollback:
    """What stood where a run works, taken down before it is built.

    Args:
        work_dir: The run's work directory; it need not exist.
        config: The file that the run's config was read from, None where it is of none. MMEngine
            dumps the config under the same name in the work directory, over an earlier run's.
    """

    def __init__(self, work_dir: str | Path, config: str | Path | None) -> None:
        work_dir = Path(work_dir).absolute()
        # From the inside out, as they can be removed.
        self._new_folders = [path for path in (work_dir, *work_dir.parents) if not path.exists()]
        # MMEngine names what a run writes by the second it starts in: it may be another's, too.
        self._stood = {path.name for path in work_dir.iterdir()} if work_dir.is_dir() else set()
        self._dumped = work_dir / Path(config).name if config is not None else None
        self._earlier: bytes | None = None
        if self._dumped is not None and self._dumped.is_file():
            self._earlier = self._dumped.read_bytes()

    def undo(self, log_dir: str | Path, unnamed: str | Path) -> None:
        """Remove what the run wrote, but nothing that others put beside it.

        Args:
            log_dir: The run's folder in the work directory; kept where it stood there before.
            unnamed: Where a config that is of no file was dumped.
        """
        if Path(log_dir).name not in self._stood:
            shutil.rmtree(log_dir, ignore_errors=True)
        dumped = self._dumped or Path(unnamed)
        if self._earlier is not None:
            dumped.write_bytes(self._earlier)
        elif dumped.name not in self._stood:
            dumped.unlink(missing_ok=True)
        for folder in self._new_folders:
            # Not where something lies in it: another's, or another process's.
            with contextlib.suppress(OSError):
                folder.rmdir()
