"""Fit what a config's label pipeline learns from a few labelled images: curves and thresholds."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('calibrate')
