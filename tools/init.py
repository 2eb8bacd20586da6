"""Write a config of what is at hand: checkpoints, ONNX files, a folder of pictures."""

from mmcompose.cli import run_verb

if __name__ == '__main__':
    run_verb('init')
