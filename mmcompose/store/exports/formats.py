"""Which formats there are, and what they have in common."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmcompose.store.exports.coco import write_coco
from mmcompose.store.exports.cvat import write_cvat
from mmcompose.store.exports.fiftyone import write_fiftyone
from mmcompose.store.exports.label_studio import write_label_studio
from mmcompose.store.exports.labeled import Labeled
from mmcompose.store.exports.parquet import write_parquet
from mmcompose.store.exports.voc import write_voc
from mmcompose.store.exports.yolo import write_yolo
from mmcompose.structures import Detections, Image
from mmcompose.utils import (
    OWN_FOLDER,
    UserError,
    atomic_write,
    check_own_folder,
    check_writable,
    mark_own_folder,
    problem,
    warn,
)

# In a folder: the files and links that are of a picture each, by which a later export knows them.
_MADE, _TEXTS = f'{OWN_FOLDER}-files', ('.txt', '.xml')
_NOT_UNICODE = re.compile(r'[\ud800-\udfff]')
# https://www.w3.org/TR/xml/#charsets: a reader refuses the whole file.
_NOT_XML = re.compile(r'[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')
# A file's name need not be Unicode.
_ANY_NAME: Mapping[str, Any] = {'encoding': 'utf-8', 'errors': 'surrogateescape'}
# Ultralytics knows its caches by paths and sizes of files, and lines of other boxes are as long;
# LabelImg leaves class numbers of its own.
_OF_YOLO = ('data.yaml', 'labels.cache', 'labels/**/*.cache', 'labels/classes.txt')


@dataclass(frozen=True)
class Format:
    """A format that labels can be written in.

    Args:
        write: Writes labels to a path. Into a folder: yields each file and link that is of a
            picture, before it writes it.
        is_folder: Whether that is a folder; else a file.
        default: The name that it has by default.
        unwritable: What it cannot hold in the name of a 'picture', 'class' or 'teacher'. Defaults
            to nothing.
        needs_files: Whether its readers know local pictures alone. Defaults to False.
        stale: Of a folder, by glob: the file that tells of the whole, which is written last, and
            what other tools derive from the labels.
        has_masks: Whether it holds instance masks. Defaults to False: boxes alone.
    """

    write: Callable[[Labeled, Path], Iterator[Path] | None]
    is_folder: bool
    default: str
    unwritable: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    needs_files: bool = False
    stale: tuple[str, ...] = ()
    has_masks: bool = False


def _not_xml(*kinds: str) -> dict[str, re.Pattern[str]]:
    return dict.fromkeys(kinds, _NOT_XML)


FORMATS: Mapping[str, Format] = {
    'coco': Format(write_coco, False, 'labels.json', has_masks=True),
    'yolo': Format(write_yolo, True, 'yolo', stale=_OF_YOLO),
    'voc': Format(write_voc, True, 'voc', _not_xml('picture', 'class'), stale=('classes.txt',)),
    'parquet': Format(
        write_parquet, False, 'labels.parquet', {'picture': _NOT_UNICODE}, has_masks=True
    ),
    'fiftyone': Format(write_fiftyone, True, 'fiftyone', needs_files=True, stale=('labels.json',)),
    'labelstudio': Format(write_label_studio, False, 'label_studio.json', _not_xml('class')),
    'cvat': Format(write_cvat, False, 'cvat.xml', _not_xml('picture', 'class', 'teacher')),
}


def destination(to: str, out: str | Path | None = None) -> Path:
    """Return where labels are written; see :func:`export` for arguments and errors."""
    if to not in FORMATS:
        raise UserError(problem('to', to, f'is not one of {", ".join(FORMATS)}', FORMATS))
    path = Path(out if out is not None else FORMATS[to].default)
    check_writable('out', path, folder=FORMATS[to].is_folder)
    if FORMATS[to].is_folder:
        check_own_folder('out', path, _maker(to))
    return path


def _maker(to: str) -> str:
    return f'an export to {to}'


def export(
    to: str,
    images: Sequence[Image],
    labels: Sequence[Detections],
    classes: Sequence[str],
    teachers: Sequence[str] = (),
    out: str | Path | None = None,
) -> Path:
    """Write labels in another tool's format.

    Args:
        to: 'coco', 'yolo', 'voc', 'parquet', 'fiftyone', 'labelstudio' or 'cvat'. Scores, votes
            and ignore flags are written where the format has room: COCO (``score``, ``iscrowd``,
            ``votes``), VOC (``difficult``), Parquet (all), FiftyOne and CVAT (attributes), Label
            Studio (``score``, a region's notes). Of YOLO's, which has none, ignore boxes are left
            out. COCO and Parquet hold masks; for the others a warning counts those left out.
        images: The pictures.
        labels: Of each.
        classes: Class names.
        teachers: Who voted, in the order of the votes.
        out: The file, or for YOLO, VOC and FiftyOne the folder: a new or empty one, or one of an
            earlier export. Defaults to a name of the format in the working directory.

    Returns:
        What was written.

    Raises:
        UserError: If there is no such format, it cannot be written, it cannot hold a name
            or a picture that is no local file, or a folder holds other files.
    """
    path = destination(to, out)
    labeled = Labeled(images, labels, tuple(classes), tuple(teachers))
    labeled.check_names(FORMATS[to].unwritable)
    if FORMATS[to].is_folder:
        _write_folder(to, labeled, path)
    else:
        FORMATS[to].write(labeled, path)
    if labeled.num_masks and not FORMATS[to].has_masks:
        holders = ' and '.join(name for name, each in FORMATS.items() if each.has_masks)
        lost = f'{labeled.num_masks} masks are not in {path}'
        warn(f'{lost}: {to} holds boxes alone; {holders} hold masks')
    return path


def _write_folder(to: str, labeled: Labeled, path: Path) -> None:
    # Pictures that a folder cannot hold leave none behind.
    labeled.stems()
    if FORMATS[to].needs_files:
        labeled.check_files(to)
    mark_own_folder('out', path, _maker(to))
    _remove_stale(path, FORMATS[to].stale)
    before = _read_list(path)
    made = _list(path, FORMATS[to].write(labeled, path) or ())
    _forget_others(path, before, made, labeled.images)


def _remove_stale(folder: Path, stale: Iterable[str]) -> None:
    """Remove what is not true of other labels, so that no half of an export reads as whole."""
    try:
        for path in [path for pattern in stale for path in folder.glob(pattern)]:
            # A folder of the pool may be called so.
            if path.is_file():
                path.unlink()
    except OSError as error:
        raise UserError(problem('out', str(folder), f'cannot be written: {error}')) from error


def _read_list(folder: Path) -> list[str]:
    file = folder / _MADE
    return file.read_text(**_ANY_NAME).split('\n')[:-1] if file.is_file() else []


def _list(folder: Path, made: Iterable[Path]) -> set[str]:
    """Let files be written, and return their names in the folder.

    Each is listed before it is there: an export that is killed leaves none that the next one does
    not know.
    """
    listed = set()
    try:
        with open(folder / _MADE, 'a', buffering=1, **_ANY_NAME) as file:
            for path in made:
                name = str(path.relative_to(folder))
                file.write(f'{name}\n')
                listed.add(name)
    except OSError as error:
        expected = f'cannot be written: {error}'
        raise UserError(problem('out', str(folder / _MADE), expected)) from error
    return listed


def _forget_others(
    folder: Path, before: Iterable[str], listed: set[str], images: Sequence[Image]
) -> None:
    """Remove what an earlier export made of other pictures: its class numbers may be others."""
    # The pool may be what an earlier export made.
    pool = {os.path.abspath(image.path) for image in images}
    for name in before:
        path = folder / name
        # A picture in the place of its link is the user's.
        is_ours = path.is_symlink() or path.suffix in _TEXTS
        if is_ours and name not in listed and os.path.abspath(path) not in pool:
            path.unlink(missing_ok=True)
    with atomic_write('out', folder / _MADE) as temporary:
        temporary.write_text(''.join(f'{name}\n' for name in sorted(listed)), **_ANY_NAME)
