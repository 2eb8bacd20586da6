"""Make pseudo-labels where they are missing, train the student, validate it: MMDet's train.py."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('train')
