"""Test a trained student: MMDet's test.py."""

from mmcompose.commands import run_mmdet_tool, run_tool

if __name__ == '__main__':
    run_tool(lambda: run_mmdet_tool('test'))
