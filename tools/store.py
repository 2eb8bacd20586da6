"""Look at a label store, verify it, or tidy it up."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('store')
