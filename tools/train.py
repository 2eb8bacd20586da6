"""Make pseudo-labels where they are missing, train the student, validate it: MMDet's train.py."""

from mmcompose.commands import run_mmdet_tool, run_tool

if __name__ == '__main__':
    run_tool(lambda: run_mmdet_tool('train'))
