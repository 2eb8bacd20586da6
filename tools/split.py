"""Split a COCO json into labelled parts (1, 5, 10 %, or counts) and the unlabelled rest."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('split')
