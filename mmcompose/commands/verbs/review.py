"""Export the pictures that most need a person, or import what a person corrected."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mmcompose.commands.arguments import add_config

TOOLS = ('labelstudio', 'cvat', 'coco', 'yolo')


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    what = parser.add_subparsers(dest='what', required=True)
    out = what.add_parser('export', help='those on whose labels teachers disagree most')
    add_config(out)
    out.add_argument('--to', choices=TOOLS, default='labelstudio', help='the tool')
    out.add_argument('--out', help='a file; a new folder for yolo')
    out.add_argument('--count', type=int, default=100, help='how many pictures')
    back = what.add_parser('import', help='what was corrected, as a COCO json of truth')
    add_config(back)
    back.add_argument('--corrected', required=True, help="the tool's export")
    back.add_argument('--from', choices=TOOLS, default='labelstudio', dest='source')
    back.add_argument('--out', default='reviewed.json', help='the COCO json')


def run(args: Namespace) -> None:
    """Export or import."""
    from mmcompose.commands.config_files import read_compose_config
    from mmcompose.commands.review import export_review, import_review

    config = read_compose_config(args.config, args.cfg_options)
    if args.what == 'export':
        export_review(config, args.to, args.out, args.count)
    else:
        import_review(config, args.corrected, args.source, args.out)
