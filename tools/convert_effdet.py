"""Make an MMDetection checkpoint of one of the effdet package (rwightman/efficientdet-pytorch)."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('convert-effdet')
