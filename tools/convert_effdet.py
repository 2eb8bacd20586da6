"""Make an MMDetection checkpoint of one of the effdet package (rwightman/efficientdet-pytorch)."""

import argparse

import torch

from mmcompose.commands import run_tool
from mmcompose.models.effdet_weights import convert_effdet
from mmcompose.utils import atomic_write, check_writable


def main() -> None:
    """Parse arguments, convert and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='of a tf_efficientdet_d0 to _d7, or an _ap of them')
    parser.add_argument('out', help='where to save the converted checkpoint')
    parser.add_argument('--config', required=True, help='a config of the same EfficientDet')
    parser.add_argument(
        '--classes',
        default='coco',
        help='a data set that MMDetection knows, or a .txt file with a name a line; default: coco',
    )
    parser.add_argument('--ema', action='store_true', help='take the moving average of training')
    args = parser.parse_args()
    check_writable('out', args.out)
    converted = convert_effdet(args.checkpoint, args.config, args.classes, args.ema)
    with atomic_write('out', args.out) as temporary:
        torch.save(converted, temporary)


if __name__ == '__main__':
    run_tool(main)
