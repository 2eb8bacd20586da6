"""Make the pseudo-labels of a config ahead of training: here, or under torchrun or slurm."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('label')
