"""Test a trained student: MMDet's test.py."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('test')
