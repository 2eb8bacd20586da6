"""Show what a config would do: teachers, classes, pool, what is stored, and every mistake."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('plan')
