"""Make an MMDetection checkpoint of one of the effdet package (rwightman/efficientdet-pytorch)."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments to a parser."""
    parser.add_argument('checkpoint', help='of a tf_efficientdet_d0 to _d7, or an _ap of them')
    parser.add_argument('out', help='where to save the converted checkpoint')
    parser.add_argument('--config', required=True, help='a config of the same EfficientDet')
    parser.add_argument(
        '--classes',
        default='coco',
        help='a data set that MMDetection knows, or a .txt file with a name a line; default: coco',
    )
    parser.add_argument('--ema', action='store_true', help='take the moving average of training')


def run(args: Namespace) -> None:
    """Convert and save."""
    import torch

    from mmcompose.models.effdet_weights import convert_effdet
    from mmcompose.utils import atomic_write, check_writable

    check_writable('out', args.out)
    converted = convert_effdet(args.checkpoint, args.config, args.classes, args.ema)
    with atomic_write('out', args.out) as temporary:
        torch.save(converted, temporary)
