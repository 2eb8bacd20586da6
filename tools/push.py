"""Write the composition card: a page that shows what was composed, and a model hub's card.md."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('push')
