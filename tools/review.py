"""Export the pictures that most need a person, or import what a person corrected."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('review')
