"""``python -m mmcompose``: the command ``mmcompose``."""

from mmcompose.cli import main

if __name__ == '__main__':
    main()
