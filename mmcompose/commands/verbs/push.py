"""Upload a student to a model hub: weights, config, card and ONNX file."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    parser.add_argument('checkpoint', help="the student's, with the card beside it")
    parser.add_argument('--to', required=True, metavar='OWNER/NAME', help='the repository')
    parser.add_argument('--out', help='the folder that is uploaded; default: hub beside it')
    parser.add_argument('--private', action='store_true', help='a new repository is private')


def run(args: Namespace) -> None:
    """Write the folder and upload it."""
    from mmcompose.commands.push import push

    push(args.checkpoint, args.to, args.out, args.private)
