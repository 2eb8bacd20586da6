"""Write a config of what is at hand: checkpoints, ONNX files, a folder of pictures."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    parser.add_argument(
        '--teacher',
        action='append',
        required=True,
        help='checkpoint.pth:config.py, model.onnx, or a name of the zoo; once for each',
    )
    parser.add_argument('--images', required=True, help='a folder of unlabeled pictures, or a glob')
    parser.add_argument(
        '--student',
        help="its config: a file, or the name of one of MMDetection's; default: RTMDet-tiny's",
    )
    parser.add_argument('-o', '--out', default='compose.py', help='the config to write')


def run(args: Namespace) -> None:
    """Write the config."""
    from mmcompose.commands.init import STUDENT, init

    init(args.teacher, args.images, args.student or STUDENT, args.out)
