"""Show a config's class space: who knows which class, and what may be amiss."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('class-space')
