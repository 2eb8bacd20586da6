"""Print the composition table: teachers, fused labels, student and oracle on one labelled set."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('evaluate')
