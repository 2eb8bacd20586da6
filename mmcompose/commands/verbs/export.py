"""Export labels for another tool, or a student as one ONNX file."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mmcompose.commands.arguments import add_config

FORMATS = ('coco', 'yolo', 'voc', 'parquet', 'fiftyone', 'labelstudio', 'cvat')


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    what = parser.add_subparsers(dest='what', required=True)
    labels = what.add_parser('labels', help='the labels of the pool')
    add_config(labels)
    labels.add_argument('--to', choices=FORMATS, default='coco', help='the format')
    labels.add_argument('--out', help='a file; a new folder for yolo, voc and fiftyone')
    student = what.add_parser('student', help='a detector that MMDetection trained')
    student.add_argument('checkpoint', help="the student's checkpoint")
    student.add_argument('--to', choices=['onnx'], default='onnx', help='the format')
    student.add_argument('--out', help="a file; default: the checkpoint's name with .onnx")
    student.add_argument('--config', help='its config; default: the one in the checkpoint')
    student.add_argument(
        '--size', type=int, nargs=2, metavar=('WIDTH', 'HEIGHT'), help='another input size'
    )


def run(args: Namespace) -> None:
    """Export what was named."""
    if args.what == 'student':
        from mmcompose.commands.export_student import export_student

        size = None if args.size is None else tuple(args.size)
        export_student(args.checkpoint, args.out, args.config, size)
        return
    from mmcompose.commands.config_files import read_compose_config
    from mmcompose.commands.export_labels import export_labels

    export_labels(read_compose_config(args.config, args.cfg_options), args.to, args.out)
